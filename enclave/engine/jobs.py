"""A task under way, between the event loop that asked and the thread that works."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Protocol

from enclave.engine.cancellation import Cancellation
from enclave.engine.errors import EngineError
from strongroom.protocol.payloads import Event, Task, TextDelta

TOGETHER_S, TOGETHER = 0.1, 8
"""Text goes out at most so often, unless there is that of so many tokens, which still looks like that of one. On its
way a piece costs a tenth of what a small model needs for a token; and whoever carries a stream learns less of when each
token came.
"""


class Listener(Protocol):
    """Who asked: a Job, or a test."""

    cancellation: Cancellation

    def send(self, item: Event | EngineError | None) -> None:
        """Take an event, or last the error or None that ends them; never blocks."""


class Job:
    """A task under way: its events go to the loop that asked, an error or None comes last.

    Text that follows within TOGETHER_S of other text waits for what comes next and goes with it. Not so what is told of
    tokens (docs/protocol.md).
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.cancellation = Cancellation()
        self._asked_s = time.monotonic()
        self._held: list[str] = []
        self._text_sent_s = 0.0
        self.outbox: asyncio.Queue[Event | EngineError | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    @property
    def age_s(self) -> float:
        """Seconds since it was asked."""
        return time.monotonic() - self._asked_s

    def send(self, item: Event | EngineError | None) -> None:
        """Hand an item to the event loop, from the worker thread."""
        if isinstance(item, TextDelta) and item.logprobs is None:
            self._held.append(item.text)
            if time.monotonic() < self._text_sent_s + TOGETHER_S and len(self._held) < TOGETHER:
                return
            item = self._text()
        elif self._held:
            self._hand(self._text())
        self._hand(item)

    def _text(self) -> TextDelta:
        text, self._held, self._text_sent_s = "".join(self._held), [], time.monotonic()
        return TextDelta(text)

    def _hand(self, item: Event | EngineError | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self.outbox.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody listens any more
            self.cancellation.cancel()

    async def events(self) -> AsyncGenerator[Event, None]:
        """What was sent, in order; closing this generator cancels the task. Raises the EngineError that ended it."""
        try:
            while (item := await self.outbox.get()) is not None:
                if isinstance(item, EngineError):
                    raise item
                yield item
        finally:
            self.cancellation.cancel()
