"""The pace of an answer: how long it may take, and what is counted of a stream's."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from enclave.engine.observation import ModelObserver
from strongroom.protocol.payloads import Event, TextDelta


async def within(span_s: float, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The events, for so many seconds from now on; then raise TimeoutError, which cancels what makes them.

    Text that waits for a slow reader is late, too. The event that ends an answer never is, once it is made.
    """
    clock_s = asyncio.get_running_loop().time
    deadline_s: float | None = clock_s() + span_s
    while True:
        async with asyncio.timeout_at(deadline_s):
            event = await anext(events, None)
        if event is None:
            return
        if not isinstance(event, TextDelta):
            deadline_s = None
        elif deadline_s is not None and clock_s() >= deadline_s:
            raise TimeoutError
        yield event


class StreamPace:
    """The time from the admission to a stream's first piece of text, and the mean time from one token to the next.

    Whoever carries a stream sees when each piece passes, and the pace of a model is nobody's content. Of a whole answer
    they would tell more: the time to its first token divides what it took into the prompt's part and the answer's.
    """

    def __init__(self, observer: ModelObserver, clock_s: Callable[[], float] = time.monotonic) -> None:
        """It begins now."""
        self._observer, self._clock_s = observer, clock_s
        self._begun_s = self._first_s = self._last_s = clock_s()
        self._pieces = 0

    def piece(self) -> None:
        """One passes now."""
        self._pieces += 1
        self._last_s = self._clock_s()
        if self._pieces == 1:
            self._first_s = self._last_s

    def end(self, tokens: int | None) -> None:
        """Count what there was; `tokens` were in all pieces, None when the stream did not come to its end."""
        if self._pieces:
            self._observer.observe("first_token_seconds", self._first_s - self._begun_s)
        if self._pieces > 1 and tokens is not None:
            self._observer.observe("token_seconds", (self._last_s - self._first_s) / max(1, tokens - 1))
