"""Work beside the requests: it ends with the application, and never half-way through a write."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from strongroom.process import emit

Result = TypeVar("Result")

_AGAIN_S = 1.0


@asynccontextmanager
async def background(name: str, work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run work that never ends beside the block; should it fail, the log says so."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: _report_end(name, done))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def in_thread(work: Callable[[], Result], hasten: Callable[[], object] = lambda: None) -> Result:
    """Run blocking work in a thread; when cancelled, wait for its end first: nobody else may touch its files then.

    However often it is cancelled. Meanwhile `hasten` is called each second, for work that can be cut short.
    """
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            hasten()
            with suppress(asyncio.CancelledError):
                await asyncio.wait((task,), timeout=_AGAIN_S)
        task.exception()  # which nobody waits for any more, and asyncio would tell of
        raise


def now_ms() -> int:
    """Milliseconds since the epoch, by this host's clock."""
    return time.time_ns() // 1_000_000


def _report_end(name: str, task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        emit("background-work-failed", work=name, type=type(task.exception()).__name__)
