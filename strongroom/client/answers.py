"""Answers: what the events of one exchange add up to."""

import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

from strongroom.client.errors import AnswerTruncated, SealBroken
from strongroom.client.sealing import opening
from strongroom.protocol.payloads import ChatEnd, Embeddings, Event, Outputs, TextDelta
from strongroom.protocol.tensors import Tensor


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A whole answer: its text, why it ended, and the counts of tokens."""

    text: str = field(repr=False)
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int


class ChatCollector:
    """Adds up a chat: text, then one end, and nothing after it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._end: ChatEnd | None = None

    def add(self, event: Event) -> str:
        """The text that this event brings, empty for the end. Raises SealBroken for an event out of place."""
        if self._end is not None or not isinstance(event, TextDelta | ChatEnd):
            raise _out_of_place(event)
        if isinstance(event, ChatEnd):
            self._end = event
            return ""
        self._pieces.append(event.text)
        return event.text

    def answer(self) -> ChatAnswer:
        """The whole answer. Raises AnswerTruncated before its end was seen."""
        if self._end is None:
            raise AnswerTruncated
        end = self._end
        return ChatAnswer("".join(self._pieces), end.finish, end.prompt_tokens, end.completion_tokens)


async def collect_chat(events: AsyncIterator[Event]) -> ChatAnswer:
    """Wait for a whole chat."""
    collector = ChatCollector()
    async for event in events:
        collector.add(event)
    return collector.answer()


async def collect_vectors(events: AsyncIterator[Event], count: int) -> list[list[float]]:
    """Wait for the embeddings of `count` texts: a list of vectors of equal length."""
    event = await _only(events)
    if not isinstance(event, Embeddings):
        raise _out_of_place(event)
    vectors = _checked(event.vectors)
    if vectors.dtype != "float32" or len(vectors.shape) != 2 or vectors.shape[0] != count:
        raise SealBroken(f"expected float32 [{count}, dimensions], got another tensor")
    row_bytes = 4 * vectors.shape[1]
    rows = (vectors.data[row * row_bytes :][:row_bytes] for row in range(count))
    return [list(struct.unpack(f"<{vectors.shape[1]}f", row)) for row in rows]


async def collect_tensors(events: AsyncIterator[Event]) -> dict[str, Tensor]:
    """Wait for the outputs of a tensor model, by name."""
    event = await _only(events)
    if not isinstance(event, Outputs):
        raise _out_of_place(event)
    return {name: _checked(tensor) for name, tensor in event.tensors.items()}


async def _only(events: AsyncIterator[Event]) -> Event:
    only: Event | None = None
    async for event in events:
        if only is not None:
            raise _out_of_place(event)
        only = event
    if only is None:
        raise AnswerTruncated
    return only


def _checked(tensor: Tensor) -> Tensor:
    with opening():
        tensor.check()
    return tensor


def _out_of_place(event: Event) -> SealBroken:
    return SealBroken(f"expected the events of the task asked for, got {type(event).__name__}")
