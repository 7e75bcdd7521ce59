"""Requests and rows without a tokenizer, and a model without a graph."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import to_array, to_tensor
from enclave.engine.batching.intake import Turn
from enclave.engine.batching.requests import Request, Row
from enclave.engine.batching.runner import BatchRunner
from enclave.engine.batching.scheduler import Scheduler
from enclave.engine.errors import EngineError, InferenceFailed, TooLong
from enclave.engine.sessions import Port
from enclave.engine.tokenization import EncodedText
from strongroom.protocol.payloads import Embeddings, EmbedTask

NEVER_S = 1e9


def request(*lengths: int, deadline_s: float = NEVER_S) -> Request:
    """Texts of as many characters; each will be a token."""
    return Request(["x" * length for length in lengths], deadline_s)


def row(request: Request, index: int, length: int) -> Row:
    """A text of so many tokens."""
    return Row(request, index, encoded(range(length)))


def encoded(tokens: Sequence[int]) -> EncodedText:
    return EncodedText("", list(tokens), [])


def rows_of(turn: Turn) -> list[Row]:
    return [row(turn.request, index, len(text)) for index, text in enumerate(turn.texts, turn.first)]


def scheduler(*, max_requests: int = 1000, max_texts: int = 10_000, shared: bool = True) -> Scheduler:
    return Scheduler(max_requests=max_requests, max_texts=max_texts, shared=shared)


def next_rows(scheduler: Scheduler) -> list[Row]:
    """One step of one worker: the next batch, after the turns that come before it."""
    while (turn := scheduler.next_turn()) is not None:
        scheduler.put(turn.request, rows_of(turn))
    return scheduler.next_batch()


def drain(scheduler: Scheduler) -> list[list[Row]]:
    """All batches, each finished before the next."""
    batches = []
    while batch := next_rows(scheduler):
        batches.append(batch)
        scheduler.finish(batch)
    return batches


class FakeHead:
    """Vectors of two numbers."""

    task = EmbedTask
    output = Port("unused", "", ())

    def part(self, numbers: NDArray[np.float32], text: EncodedText) -> NDArray[np.float32]:
        return numbers

    def event(self, parts: Sequence[NDArray[np.float32]]) -> Embeddings:
        return Embeddings(to_tensor(np.stack(parts)), prompt_tokens=0)


class FakeModel:
    """A text's tokens are its characters; its vector is [its length, its first character].

    "?" is too long, a batch with "!" fails with `error`, and of a text with "#" the graph makes no number. Batches wait
    for the gate, if one was set.
    """

    head = FakeHead()
    depends_on_batch = False

    def __init__(self, gate: threading.Event | None = None, error: BaseException | None = None) -> None:
        self.batches: list[list[str]] = []
        self.alone: list[bool] = []
        self.entered = threading.Semaphore(0)
        self._gate, self._error = gate, error or InferenceFailed("as it was told to")

    def encode(self, index: int, text: str) -> EncodedText:
        if text == "?":
            raise TooLong(f"text {index}")
        return encoded([ord(character) for character in text])

    def run(self, texts: Sequence[EncodedText], *, alone: bool) -> list[NDArray[np.float32] | EngineError]:
        self.batches.append(["".join(map(chr, text.tokens)) for text in texts])
        self.alone.append(alone)
        self.entered.release()
        if self._gate is not None:
            assert self._gate.wait(10)
        if any(ord("!") in text.tokens for text in texts):
            raise self._error
        return [self._part(text.tokens) for text in texts]

    def _part(self, tokens: list[int]) -> NDArray[np.float32] | EngineError:
        if ord("#") in tokens:
            return InferenceFailed("no number")
        return np.array([len(tokens), tokens[0]], dtype=np.float32)


def expected(texts: Sequence[str]) -> list[list[float]]:
    return [[len(text), ord(text[0])] for text in texts]


Vectors = NDArray[np.float32]


async def embed(runner: BatchRunner[Any], texts: Sequence[str]) -> NDArray[np.float32]:
    async with asyncio.timeout(20), aclosing(runner.run(EmbedTask(list(texts)))) as events:
        (event,) = [event async for event in events]
    assert isinstance(event, Embeddings)
    return to_array(event.vectors)
