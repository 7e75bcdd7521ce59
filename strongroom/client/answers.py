"""Answers: what the events of one exchange add up to, each with its proof."""

import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from strongroom.client.errors import AnswerTruncated, SealBroken
from strongroom.client.proofs import Part, Proof, Proven
from strongroom.client.sealing import opening
from strongroom.protocol.payloads import ChatTask, Embeddings, EmbedTask, Event, GenerationEnd, Outputs, Task, TextDelta
from strongroom.protocol.tensors import Tensor


@dataclass(frozen=True, slots=True)
class ChatAnswer(Proven):
    """A whole answer: its text, why it ended, and the counts of tokens."""

    text: str = field(repr=False)
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    _proof: Proof = field(repr=False, compare=False)


class Vectors(Proven, list[list[float]]):
    """One vector for each text, in their order: a list, with its proof."""

    def __init__(self, vectors: Iterable[list[float]], proof: Proof) -> None:
        super().__init__(vectors)
        self._proof = proof


class Tensors(Proven, dict[str, Tensor]):
    """The outputs of a tensor model by name: a dictionary, with its proof."""

    def __init__(self, tensors: dict[str, Tensor], proof: Proof) -> None:
        super().__init__(tensors)
        self._proof = proof


Answer = ChatAnswer | Vectors | Tensors


class ChatCollector:
    """Adds up a chat: text, then one end, then its proof, and nothing after it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._end: GenerationEnd | None = None
        self._proof: Proof | None = None

    def add(self, part: Part) -> str:
        """The text that this part brings, empty for the rest. Raises SealBroken for an event out of place."""
        if isinstance(part, Proof):
            self._proof = part
            return ""
        if self._end is not None or not isinstance(part, TextDelta | GenerationEnd):
            raise _out_of_place(part)
        if isinstance(part, GenerationEnd):
            self._end = part
            return ""
        self._pieces.append(part.text)
        return part.text

    def answer(self) -> ChatAnswer:
        """The whole answer. Raises AnswerTruncated before its end and its proof were seen."""
        end, proof = self._end, self._proof
        if end is None or proof is None:
            raise AnswerTruncated
        return ChatAnswer("".join(self._pieces), end.finish, end.prompt_tokens, end.completion_tokens, proof)


async def collect_chat(parts: AsyncIterator[Part]) -> ChatAnswer:
    """Wait for a whole chat."""
    collector = ChatCollector()
    async for part in parts:
        collector.add(part)
    return collector.answer()


async def collect_vectors(parts: AsyncIterator[Part], count: int) -> Vectors:
    """Wait for the embeddings of `count` texts: vectors of equal length."""
    return vectors_of(*await _only(parts), count)


async def collect_tensors(parts: AsyncIterator[Part]) -> Tensors:
    """Wait for the outputs of a tensor model, by name."""
    return tensors_of(*await _only(parts))


def answer_of(task: Task, events: Sequence[Event], proof: Proof) -> Answer:
    """The answer to `task` that the events of a whole answer are. Raises SealBroken, AnswerTruncated."""
    if isinstance(task, ChatTask):
        collector = ChatCollector()
        for part in (*events, proof):
            collector.add(part)
        return collector.answer()
    for event in events[:-1]:
        raise _out_of_place(event)
    if isinstance(task, EmbedTask):
        return vectors_of(events[-1], proof, len(task.texts))
    return tensors_of(events[-1], proof)


def vectors_of(event: Event, proof: Proof, count: int) -> Vectors:
    """The vectors of `count` texts that one event brings. Raises SealBroken."""
    if not isinstance(event, Embeddings):
        raise _out_of_place(event)
    vectors = _checked(event.vectors)
    if vectors.dtype != "float32" or len(vectors.shape) != 2 or vectors.shape[0] != count:
        raise SealBroken(f"expected float32 [{count}, dimensions], got another tensor")
    row_bytes = 4 * vectors.shape[1]
    rows = (vectors.data[row * row_bytes :][:row_bytes] for row in range(count))
    return Vectors((list(struct.unpack(f"<{vectors.shape[1]}f", row)) for row in rows), proof)


def tensors_of(event: Event, proof: Proof) -> Tensors:
    """The outputs that one event brings. Raises SealBroken."""
    if not isinstance(event, Outputs):
        raise _out_of_place(event)
    return Tensors({name: _checked(tensor) for name, tensor in event.tensors.items()}, proof)


async def _only(parts: AsyncIterator[Part]) -> tuple[Event, Proof]:
    """The one event and its proof."""
    only: Event | None = None
    async for part in parts:
        if isinstance(part, Proof):
            if only is None:
                break
            return only, part
        if only is not None:
            raise _out_of_place(part)
        only = part
    raise AnswerTruncated


def _checked(tensor: Tensor) -> Tensor:
    with opening():
        tensor.check()
    return tensor


def _out_of_place(event: Event) -> SealBroken:
    return SealBroken(f"expected the events of the task asked for, got {type(event).__name__}")
