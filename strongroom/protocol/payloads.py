"""What travels inside the seal: the task a client asks for and the answers the enclave gives.

The parent never names these types. Every field is bounded here, once, for both sides.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from strongroom.protocol.constants import MAX_RECEIPT_BYTES, SECRET_BYTES
from strongroom.protocol.names import Identifier
from strongroom.protocol.tensors import Tensor

MAX_TEXT_CHARACTERS = 64 << 10
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARACTERS)]
Count = Annotated[int, Meta(ge=0)]


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class ChatTask(Struct, frozen=True, forbid_unknown_fields=True, tag="chat", tag_field="task"):
    """Generate the assistant's next turn. Temperature 0 is greedy; equal seeds give equal answers."""

    messages: Annotated[list[Message], Meta(min_length=1, max_length=64)]
    max_tokens: Annotated[int, Meta(ge=1, le=1 << 16)] = 256
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None = None


class EmbedTask(Struct, frozen=True, forbid_unknown_fields=True, tag="embed", tag_field="task"):
    """Turn each text into one vector."""

    texts: Annotated[list[Text], Meta(min_length=1, max_length=256)]


class InferTask(Struct, frozen=True, forbid_unknown_fields=True, tag="infer", tag_field="task"):
    """Run a tensor model: named inputs, all outputs."""

    tensors: Annotated[dict[Annotated[str, Meta(max_length=128)], Tensor], Meta(min_length=1, max_length=64)]


Task = ChatTask | EmbedTask | InferTask


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


class TextDelta(Struct, frozen=True, forbid_unknown_fields=True, tag="delta", tag_field="event"):
    """A piece of generated text, whole characters only."""

    text: str


class ChatEnd(Struct, frozen=True, forbid_unknown_fields=True, tag="end", tag_field="event"):
    """The last event of a chat: why it stopped, and the counts of tokens."""

    finish: Literal["stop", "length"]
    prompt_tokens: Count
    completion_tokens: Count


class Embeddings(Struct, frozen=True, forbid_unknown_fields=True, tag="embeddings", tag_field="event"):
    """float32 [texts, dimensions], in the order of the texts."""

    vectors: Tensor


class Outputs(Struct, frozen=True, forbid_unknown_fields=True, tag="outputs", tag_field="event"):
    """The named outputs of a tensor model."""

    tensors: dict[str, Tensor]


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


Event = TextDelta | ChatEnd | Embeddings | Outputs | Failure | Receipt
