"""Time inside the enclave: the NSM's last signed timestamp plus the monotonic clock (review R19).

The host sets the enclave's wall clock, so nothing here reads it.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from attestation.documents import AttestationDocument
from enclave.errors import ClockFault

REFRESH_S: Final = 50
"""Below the 60 s that the review demands, with room for a slow NSM."""


class Clock:
    """`now_ms()` in milliseconds since the epoch; `refresh` must be called at least every 60 s."""

    def __init__(self, document: bytes, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Start from a document that the enclave's own NSM has just made."""
        self._monotonic_ns = monotonic_ns
        self._lock = threading.Lock()  # refreshed in a worker thread, read on the event loop
        self._base_ms = AttestationDocument.from_bytes(document).timestamp_ms
        self._base_ns = monotonic_ns()
        self._latest_ms = self._base_ms
        self.started_ms = self._base_ms

    def now_ms(self) -> int:
        """The present, in milliseconds since the epoch; never less than it was before."""
        with self._lock:
            now_ms = self._base_ms + (self._monotonic_ns() - self._base_ns) // 1_000_000
            self._latest_ms = max(self._latest_ms, now_ms)
            return self._latest_ms

    def refresh(self, document: bytes) -> None:
        """Take the time of a new document; raise ClockFault when the NSM's own time went backwards."""
        timestamp_ms = AttestationDocument.from_bytes(document).timestamp_ms
        with self._lock:
            if timestamp_ms < self._base_ms:
                raise ClockFault("NSM time: expected it to go forward, got an earlier timestamp than before")
            self._base_ms, self._base_ns = timestamp_ms, self._monotonic_ns()
