"""What goes from the worker's thread to the event loop, and when."""

import asyncio

import pytest

from enclave.engine.errors import EngineError, InferenceFailed
from enclave.engine.jobs import TOGETHER, TOGETHER_S, Job
from strongroom.protocol.payloads import ChatTask, Event, GenerationEnd, Message, TextDelta, TokenLogprob

END = GenerationEnd("stop", 1, 1)
TOLD = TextDelta("t", [TokenLogprob(b"t", -1.0, [])])


class Clock:
    """Time that stands still."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("enclave.engine.jobs.time", clock)
    return clock


@pytest.fixture
async def job(clock: Clock) -> Job:
    return Job(ChatTask([Message("user", "hi")]))


async def handed(job: Job) -> list[Event | EngineError | None]:
    await asyncio.sleep(0)
    return [job.outbox.get_nowait() for _ in range(job.outbox.qsize())]


async def test_the_first_text_goes_at_once(job: Job) -> None:
    job.send(TextDelta("a"))
    assert await handed(job) == [TextDelta("a")]


async def test_text_that_follows_soon_goes_with_what_comes_next(job: Job, clock: Clock) -> None:
    job.send(TextDelta("a"))
    job.send(TextDelta("b"))
    assert await handed(job) == [TextDelta("a")]
    clock.now_s += TOGETHER_S
    job.send(TextDelta("c"))
    job.send(TextDelta("d"))
    assert await handed(job) == [TextDelta("bc")]


async def test_no_more_than_so_many_tokens_wait(job: Job) -> None:
    for _ in range(1 + 2 * TOGETHER):
        job.send(TextDelta("x"))
    assert await handed(job) == [TextDelta("x"), TextDelta("x" * TOGETHER), TextDelta("x" * TOGETHER)]


@pytest.mark.parametrize("last", [END, InferenceFailed("it broke"), None, TOLD], ids=["end", "error", "none", "told"])
async def test_text_that_waits_goes_before_all_else(job: Job, last: Event | EngineError | None) -> None:
    for text in "ab":
        job.send(TextDelta(text))
    job.send(last)
    assert await handed(job) == [TextDelta("a"), TextDelta("b"), last]
    job.send(None)
    assert await handed(job) == [None]


async def test_what_is_told_of_tokens_never_waits(job: Job) -> None:
    job.send(TOLD)
    job.send(TOLD)
    assert await handed(job) == [TOLD, TOLD]
