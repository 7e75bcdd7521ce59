"""Replay protection: request ids are remembered for as long as they could be accepted again (review R10)."""

import heapq


class Replayed(Exception):
    """The id was used before."""


class ReplayCacheFull(Exception):
    """No room until an id's time is over; refusing is safe, forgetting is not."""


class ReplayCache:
    """Bounded; an id leaves only when its own time is over. `at_ms` never steps back."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: set[bytes] = set()
        self._ends: list[tuple[int, bytes]] = []

    def admit(self, request_id: bytes, until_ms: int, at_ms: int) -> None:
        """Remember an id, whose request has been opened, to `until_ms` inclusive.

        Raises Replayed or ReplayCacheFull.
        """
        while self._ends and self._ends[0][0] < at_ms:
            self._seen.remove(heapq.heappop(self._ends)[1])
        if request_id in self._seen:
            raise Replayed
        if len(self._seen) >= self._capacity:
            raise ReplayCacheFull
        self._seen.add(request_id)
        heapq.heappush(self._ends, (until_ms, request_id))
