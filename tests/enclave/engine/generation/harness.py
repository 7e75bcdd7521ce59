"""Conversations run without threads, and what is left of them."""

from collections.abc import Sequence

import numpy as np

from enclave.engine.cancellation import Cancellation
from enclave.engine.capacity import Capacity
from enclave.engine.errors import EngineError
from enclave.engine.generation.answer import Answer, Piece
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.conversation import Conversation
from enclave.engine.generation.graph import DecoderGraph
from enclave.engine.generation.model import LanguageModel
from enclave.engine.sessions import open_session, run_session
from enclave.engine.tokenization import Tokenizer
from strongroom.protocol.payloads import Event, Generation, Message, Task, TokenLogprob
from tests.enclave.engine.packages import Package

HELLO = [Message("user", "hello")]
LONG = [Message("user", "a rather long question, " * 10)]  # more than one step of the prompt


CAPACITY = Capacity()


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.cancellation = Cancellation()
        self.events: list[Event] = []

    def send(self, item: Event | EngineError | None) -> None:
        assert item is not None
        assert not isinstance(item, EngineError)
        self.events.append(item)


class RecordedAnswer(Answer):
    """An answer without stop tokens that keeps its tokens and pieces."""

    def __init__(self, tokenizer: Tokenizer, options: Generation) -> None:
        super().__init__(tokenizer, frozenset(), options.stop, options.max_tokens)
        self.generated: list[int] = []
        self.pieces: list[Piece] = []

    def push(self, token: int, logprob: TokenLogprob | None = None) -> Piece:
        piece = super().push(token, logprob)
        self.generated.append(token)
        self.pieces.append(piece)
        return piece


class Talk:
    """A conversation on bare tokens, with its listener and its answer."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int], options: Generation) -> None:
        self.heard = Heard()
        self.answer = RecordedAnswer(tokenizer, options)
        self.conversation = Conversation(self.heard, prompt, options, self.answer)


def load(package: Package, slots: int = CAPACITY.slots, kv_bytes: int = CAPACITY.kv_bytes) -> LanguageModel:
    return LanguageModel.load(package.manifest, package.files, threads=1, slots=slots, kv_bytes=kv_bytes)


def answer(model: LanguageModel, task: Task) -> list[Event]:
    """The events of a task that has the model for itself; raises the error that ends it."""
    heard = Heard()
    conversation = model.start(task, heard)
    run(Batch(model.graph), [conversation])
    if conversation.failure is not None:
        raise conversation.failure
    return heard.events


def run(batch: Batch, conversations: Sequence[Conversation]) -> None:
    """Join them all at once, and step until nobody is left."""
    for conversation in conversations:
        batch.join(conversation)
    while len(batch):
        batch.step()


def assert_clean(graph: DecoderGraph) -> None:
    assert not any(buffer.any() for buffer in graph.cache.buffers.values())
    assert not graph.logits.any()
    assert not graph.tokens.any()


def naive_tokens(package: Package, prompt: Sequence[int], count: int) -> list[int]:
    """The greedy loop without any cache: the whole text again for every token."""
    session = open_session(package.graph, threads=1)
    settings = package.chat
    shape = (1, settings.kv_heads, 0, settings.head_size)
    names = [node.name for node in session.get_inputs() if node.name.startswith("past")]
    tokens = list(prompt)
    for _ in range(count):
        feeds = {name: np.zeros(shape, np.float32) for name in names}
        feeds["input_ids"] = np.array([tokens])
        feeds["attention_mask"] = np.ones((1, len(tokens)), np.int64)
        tokens.append(int(run_session(session, feeds)["logits"][0, -1].argmax()))
    return tokens[len(prompt) :]
