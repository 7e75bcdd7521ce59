"""Time inside the enclave: the NSM's last signed timestamp plus the monotonic clock (review R19).

The host sets the enclave's wall clock, so nothing here reads it. TLS and AWS's signatures do: in the image the clock
therefore drives the system's, which the host cannot turn after that.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from attestation.documents import AttestationDocument
from enclave.errors import ClockFault

REFRESH_S: Final = 50
"""From one refresh to the next."""
REFRESH_DEADLINE_S: Final = 8
"""For one refresh, after which time is lost: with the pause before it less than the 60 s that the review demands."""

SetSystemClock = Callable[[int], None]
"""Called with milliseconds since the epoch; raises OSError when the system refuses."""


def set_system_clock(at_ms: int) -> None:
    """Set the system's wall clock; raise OSError without the right to do so."""
    time.clock_settime_ns(time.CLOCK_REALTIME, at_ms * 1_000_000)


class Clock:
    """`now_ms()` in milliseconds since the epoch; `refresh` must be called at least every 60 s."""

    def __init__(self, document: bytes, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Start from a document that the enclave's own NSM has just made."""
        self._monotonic_ns = monotonic_ns
        self._lock = threading.Lock()  # refreshed in a worker thread, read on the event loop
        self._base_ms = AttestationDocument.from_bytes(document).timestamp_ms
        self._base_ns = monotonic_ns()
        self._latest_ms = self._base_ms
        self._set_system_clock: SetSystemClock | None = None
        self.started_ms = self._base_ms

    def drive(self, set_system_clock: SetSystemClock) -> None:
        """Set the system's clock now and at every refresh; raise ClockFault when it refuses."""
        self._set_system_clock = set_system_clock
        self._drive()

    def now_ms(self) -> int:
        """The present, in milliseconds since the epoch; never less than it was before."""
        with self._lock:
            now_ms = self._base_ms + (self._monotonic_ns() - self._base_ns) // 1_000_000
            self._latest_ms = max(self._latest_ms, now_ms)
            return self._latest_ms

    def not_before(self, at_ms: int) -> None:
        """Say no instant before this one again: that of a document that answers name from now on."""
        with self._lock:
            self._latest_ms = max(self._latest_ms, at_ms)

    def refresh(self, document: bytes) -> None:
        """Take the time of a new document; raise ClockFault when it went backwards or the system's cannot be set."""
        timestamp_ms = AttestationDocument.from_bytes(document).timestamp_ms
        with self._lock:
            if timestamp_ms < self._base_ms:
                raise ClockFault("NSM time: expected it to go forward, got an earlier timestamp than before")
            self._base_ms, self._base_ns = timestamp_ms, self._monotonic_ns()
        self._drive()

    def _drive(self) -> None:
        if self._set_system_clock is None:
            return
        try:
            self._set_system_clock(self.now_ms())
        except OSError:
            raise ClockFault("system clock: expected to set it to the NSM's time, the system refused") from None
