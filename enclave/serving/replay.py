"""Replay protection: request ids are remembered for as long as their timestamps could be accepted (review R10)."""

from collections import OrderedDict


class Replayed(Exception):
    """The id was used before."""


class ReplayCacheFull(Exception):
    """No room inside the window; refusing is safe, forgetting is not."""


class ReplayCache:
    """Bounded and ordered by time of insertion; only ids older than the window are evicted."""

    def __init__(self, capacity: int, window_ms: int) -> None:
        """`window_ms` is the whole span in which a timestamp is accepted: both sides of now."""
        self._capacity, self._window_ms = capacity, window_ms
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def admit(self, request_id: bytes, at_ms: int) -> None:
        """Remember an id whose request has been opened; raise Replayed or ReplayCacheFull."""
        self._evict(at_ms)
        if request_id in self._seen:
            raise Replayed
        if len(self._seen) >= self._capacity:
            raise ReplayCacheFull
        self._seen[request_id] = at_ms

    def _evict(self, at_ms: int) -> None:
        while self._seen:
            request_id, seen_ms = next(iter(self._seen.items()))
            if at_ms - seen_ms <= self._window_ms:
                return
            del self._seen[request_id]
