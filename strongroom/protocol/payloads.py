"""What travels inside the seal: the task a client asks for and the answers the enclave gives.

The parent never names these types. Every field is bounded here, once, for both sides.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from strongroom.protocol import catalogue
from strongroom.protocol.constants import MAX_RECEIPT_BYTES, SECRET_BYTES
from strongroom.protocol.names import Identifier, ShortText
from strongroom.protocol.tensors import Name, Port, Tensor

MAX_TEXT_CHARACTERS = 64 << 10
MAX_TEXTS = 256
"""Of one request."""
MAX_TENSORS = 64
"""Of one request, and so a model's inputs."""
MAX_OUTPUTS = 256
"""Of a model."""
MAX_ALTERNATIVES = 20
MAX_LOGPROBS = 1 << 14
"""Log probabilities in one answer, those of the alternatives included."""
MAX_SPANS = 8 << 10
"""Spans in one answer, of all its texts together."""
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARACTERS)]
Count = Annotated[int, Meta(ge=0)]


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class Generation(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What a request asks of the generation, apart from its prompt. Equal seeds give equal answers."""

    max_tokens: Annotated[int, Meta(ge=1, le=1 << 16)] = 256
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """0 takes the likeliest token."""
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Meta(ge=0, le=1 << 16)] = 0
    """0 is off."""
    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None
    stop: Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=8)] = []
    """The answer ends before the first of these that it would hold."""
    logprobs: Annotated[int, Meta(ge=0, le=MAX_ALTERNATIVES)] | None = None
    """The number of alternatives to each token whose log probabilities are told; None tells nothing."""
    schema: Annotated[str, Meta(min_length=2, max_length=16 << 10)] | None = None
    """A JSON schema, as JSON text, that the answer is an instance of unless it is cut off; None for any answer."""

    def __post_init__(self) -> None:
        """Raise ValueError for more log probabilities than an answer may hold."""
        if self.logprobs is not None and self.max_tokens * (1 + self.logprobs) > MAX_LOGPROBS:
            raise ValueError(f"Expected max_tokens * (1 + logprobs) of at most {MAX_LOGPROBS}")


class ChatTask(Generation, frozen=True, forbid_unknown_fields=True, tag="chat", tag_field="task"):
    """Generate the assistant's next turn, with the model's own chat template."""

    messages: Annotated[list[Message], Meta(min_length=1, max_length=64)]


class CompleteTask(Generation, frozen=True, forbid_unknown_fields=True, tag="complete", tag_field="task"):
    """Continue the prompt as it is, without a template; models of task "chat" take it too."""

    prompt: Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARACTERS)]


Texts = Annotated[list[Text], Meta(min_length=1, max_length=MAX_TEXTS)]


class EmbedTask(Struct, frozen=True, forbid_unknown_fields=True, tag="embed", tag_field="task"):
    """Turn each text into one vector."""

    texts: Texts


class ClassifyTask(Struct, frozen=True, forbid_unknown_fields=True, tag="classify", tag_field="task"):
    """Score each text by each label of the model."""

    texts: Texts


class TagTask(Struct, frozen=True, forbid_unknown_fields=True, tag="tag", tag_field="task"):
    """Find the labelled spans of each text."""

    texts: Texts


class InferTask(Struct, frozen=True, forbid_unknown_fields=True, tag="infer", tag_field="task"):
    """Run a tensor model: named inputs, all outputs."""

    tensors: Annotated[dict[Name, Tensor], Meta(min_length=1, max_length=MAX_TENSORS)]


class DescribeTask(Struct, frozen=True, forbid_unknown_fields=True, tag="describe", tag_field="task"):
    """Say what the model is: every model does, whatever its own task."""


Task = ChatTask | CompleteTask | EmbedTask | ClassifyTask | TagTask | InferTask | DescribeTask


class Rest(Struct, frozen=True, forbid_unknown_fields=True):
    """What the sealer of a KMS envelope allows, which may rest anywhere before it is answered (R8)."""

    not_after_ms: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
    """Milliseconds since the epoch; later, the answer is the failure `expired`."""
    single_use: bool
    """At most one answer per boot of an enclave."""


class Request(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The plaintext of a sealed request: the response secret, whether to stream, and the task."""

    secret: Annotated[bytes, Meta(min_length=SECRET_BYTES, max_length=SECRET_BYTES)]
    stream: bool
    task: Task
    rest: Rest | None = None
    """Present in a KMS envelope, absent under HPKE."""


LEAST_LOGPROB = -9999.0
Logprob = Annotated[float, Meta(ge=LEAST_LOGPROB, le=0)]
"""The natural logarithm of a probability, of smaller ones LEAST_LOGPROB."""


class Alternative(Struct, frozen=True, forbid_unknown_fields=True):
    """A token that could have come, as the bytes of its text, and its log probability."""

    token: bytes
    logprob: Logprob


class TokenLogprob(Struct, frozen=True, forbid_unknown_fields=True):
    """The token that came, its log probability before any temperature, and the likeliest tokens in its place.

    A token may hold a part of a character; one without text, such as the one that ends a turn, has no bytes.
    """

    token: bytes
    logprob: Logprob
    top: Annotated[list[Alternative], Meta(max_length=MAX_ALTERNATIVES)]


class TextDelta(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="delta", tag_field="event"):
    """A piece of generated text, whole characters only.

    `logprobs` tells of tokens if the task asked for it, of all that begin in the text of the answer and of no other.
    The text may then be empty: a token's character is unfinished.
    """

    text: str
    logprobs: Annotated[list[TokenLogprob], Meta(min_length=1)] | None = None


class GenerationEnd(Struct, frozen=True, forbid_unknown_fields=True, tag="end", tag_field="event"):
    """The last event of a generation: why it stopped, and the counts of tokens."""

    finish: Literal["stop", "length"]
    prompt_tokens: Count
    completion_tokens: Count


class Embeddings(Struct, frozen=True, forbid_unknown_fields=True, tag="embeddings", tag_field="event"):
    """float32 [texts, dimensions], in the order of the texts, and how many tokens the model read, of all of them."""

    vectors: Tensor
    prompt_tokens: Count


class Scores(Struct, frozen=True, forbid_unknown_fields=True, tag="scores", tag_field="event"):
    """Scores of 0 to 1 by label, float32 [texts, labels], in the order of the texts."""

    labels: Annotated[list[ShortText], Meta(min_length=1)]
    scores: Tensor


class Span(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a text, by character offsets `start` to `end` (exclusive), its label, and a score of 0 to 1."""

    start: Count
    end: Count
    label: ShortText
    score: Annotated[float, Meta(ge=0, le=1)]


class Tags(Struct, frozen=True, forbid_unknown_fields=True, tag="tags", tag_field="event"):
    """The spans of each text, in the order of the texts and of their characters."""

    spans: list[list[Span]]


class Outputs(Struct, frozen=True, forbid_unknown_fields=True, tag="outputs", tag_field="event"):
    """The named outputs of a tensor model."""

    tensors: dict[str, Tensor]


class Description(Struct, frozen=True, forbid_unknown_fields=True, tag="description", tag_field="event"):
    """What the model is: its version and task, and the tensors that an `infer` task brings and gets.

    A model of another task has neither inputs nor outputs here: its tasks bring texts.
    """

    version: Identifier
    task: catalogue.Task
    inputs: Annotated[list[Port], Meta(max_length=MAX_TENSORS)]
    outputs: Annotated[list[Port], Meta(max_length=MAX_OUTPUTS)]


FailureCode = Literal[
    "unknown-model", "wrong-task", "invalid-request", "too-long", "invalid-tensor", "expired", "busy", "internal"
]


class Failure(Struct, frozen=True, forbid_unknown_fields=True, tag="failure", tag_field="event"):
    """A refusal inside the seal: a code of the fixed list and a sentence that says what to do."""

    code: FailureCode
    detail: Annotated[str, Meta(max_length=512)]
    model: Identifier | None = None


class Receipt(Struct, frozen=True, forbid_unknown_fields=True, tag="receipt", tag_field="event"):
    """The receipt of the answer (docs/receipts.md): the very last event of the last chunk."""

    receipt: Annotated[bytes, Meta(min_length=1, max_length=MAX_RECEIPT_BYTES)]


Event = TextDelta | GenerationEnd | Embeddings | Scores | Tags | Outputs | Description | Failure | Receipt
