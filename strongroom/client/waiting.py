"""Waiting for more of an answer, until another task or thread does not want it any more."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Ended(Exception):
    """Somebody ended the wait."""


class Waiting:
    """One wait at a time, on one event loop."""

    def __init__(self) -> None:
        self._timeout: asyncio.Timeout | None = None

    async def of(self, more: Awaitable[T]) -> T:
        """What `more` gives. Raises Ended when somebody ends the wait, which cancels it."""
        try:
            async with asyncio.timeout(None) as timeout:
                self._timeout = timeout
                return await more
        except TimeoutError:
            if timeout.expired():
                raise Ended from None
            raise
        finally:
            self._timeout = None

    def end(self) -> bool:
        """End the wait that there is. False, and nothing happens, if there is none."""
        if self._timeout is None:
            return False
        if not self._timeout.expired():
            self._timeout.reschedule(0)
        return True
