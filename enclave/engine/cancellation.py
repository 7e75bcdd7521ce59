"""How the event loop tells a worker thread to stop."""

import threading


class Cancelled(Exception):
    """The work was cancelled; never leaves the engine."""


class Cancellation:
    """A flag set once from any thread, and checked by the model between two steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next step."""
        self._event.set()

    def check(self) -> None:
        """Raise Cancelled once `cancel` was called."""
        if self._event.is_set():
            raise Cancelled
