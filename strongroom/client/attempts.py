"""One attempt for all who wait for the same thing."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from strongroom.client.errors import ClientClosed

T = TypeVar("T")


class SharedAttempt(Generic[T]):
    """Runs `work` once, however many callers wait; `keep` is called with what it gives, before they are.

    The next caller after its end begins another attempt.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]], keep: Callable[[T], None]) -> None:
        self._work, self._keep = work, keep
        self._attempt: asyncio.Task[T] | None = None

    async def result(self) -> T:
        """What the attempt under way gives, or a new one. Raises what `work` raises, and ClientClosed."""
        if self._attempt is None:
            self._attempt = asyncio.create_task(self._work())
            self._attempt.add_done_callback(self._settle)
        attempt = self._attempt
        try:
            # One caller that gives up must not take the attempt away from the others.
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if attempt.cancelled() and caller is not None and not caller.cancelling():
                raise ClientClosed from None
            raise

    async def close(self) -> None:
        """End an attempt that is under way."""
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])

    def _settle(self, attempt: asyncio.Task[T]) -> None:
        self._attempt = None
        if not attempt.cancelled() and attempt.exception() is None:
            self._keep(attempt.result())
