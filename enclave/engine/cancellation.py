"""How the event loop tells a worker thread to stop."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancelled(Exception):
    """The work was cancelled; never leaves the engine."""


class Cancellation:
    """A flag set once from any thread, and checked by the model between two steps."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.cancelled = False
        """Whether `cancel` was called."""
        self._stop: Callable[[], None] | None = None

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        with self._lock:
            self.cancelled = True
            if self._stop is not None:
                self._stop()

    def check(self) -> None:
        """Raise Cancelled once `cancel` was called."""
        if self.cancelled:
            raise Cancelled

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Have `stop` called, by whoever cancels, if that comes within the block; raise Cancelled if it came before."""
        with self._lock:
            self.check()
            self._stop = stop
        try:
            yield
        finally:
            with self._lock:
                self._stop = None
