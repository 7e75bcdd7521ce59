"""Closed-loop clients: each asks its next question when it has its answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, Protocol, TypeVar

Answer = TypeVar("Answer")
Ask = Callable[[int], Awaitable[Answer]]
"""Asks the question of that number."""

ANSWER_TIMEOUT_S = 60.0


class Closable(Protocol):
    """A client."""

    async def close(self) -> None:
        """Close its connection."""


Client = TypeVar("Client", bound=Closable)


@dataclass
class Collected(Generic[Answer]):
    """What the clients of a crowd got."""

    answers: list[tuple[int, Answer | None]] = field(default_factory=list)
    """The number of the question and the answer, None where none came."""
    ended_s: list[float] = field(default_factory=list)
    """When each answer came, from the beginning."""
    waited_s: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    """Why answers were lost: names of exceptions."""

    @property
    def p50_ms(self) -> float:
        """The median of the times that answers took; 0 without any."""
        return 1000 * median(self.waited_s) if self.waited_s else 0.0

    @property
    def per_s(self) -> float:
        """Answers a second, until the last one came."""
        return len(self.ended_s) / max(self.ended_s) if self.ended_s else 0.0


async def gather(asks: Sequence[Ask[Answer]], questions: int, seconds: float) -> Collected[Answer]:
    """Let one client for each of `asks` ask once, and go on for that long; what is under way then is waited for.

    `questions`, their number, is a multiple of the clients': no two ask the same one at the same time, so that an
    answer to another one shows. A client that gets no answer, or none in time, asks no more.
    """
    collected: Collected[Answer] = Collected()
    begun_s = time.perf_counter()

    async def client(ask: Ask[Answer], question: int) -> None:
        ended_s = begun_s
        while ended_s == begun_s or ended_s - begun_s < seconds:
            asked_s = time.perf_counter()
            answer = await _answer(ask, question, collected.errors)
            ended_s = time.perf_counter()
            collected.answers.append((question, answer))
            if answer is None:
                return
            collected.ended_s.append(ended_s - begun_s)
            collected.waited_s.append(ended_s - asked_s)
            question = (question + len(asks)) % questions

    await asyncio.gather(*(client(ask, number) for number, ask in enumerate(asks)))
    return collected


@asynccontextmanager
async def closing_all(clients: list[Client]) -> AsyncIterator[list[Client]]:
    """Close them at the end of the block."""
    try:
        yield clients
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def _answer(ask: Ask[Answer], question: int, errors: Counter[str]) -> Answer | None:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            return await ask(question)
    except Exception as error:  # whatever it was: the answer is lost, and counted
        errors[type(error).__name__] += 1
        return None
