"""Replay protection: request ids are remembered for as long as they could be accepted again (review R10)."""

import heapq
from collections import defaultdict
from typing import Final

_SECOND_MS: Final = 1000
_HOUR_MS: Final = 3600 * _SECOND_MS
_DAY_MS: Final = 24 * _HOUR_MS


class Replayed(Exception):
    """The id was used before."""


class ReplayCacheFull(Exception):
    """No room until an id's time is over; refusing is safe, forgetting is not."""


class ReplayCache:
    """Bounded; an id leaves only when its own time is over. `at_ms` never steps back."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: set[bytes] = set()
        self._ends: list[int] = []
        self._ending: defaultdict[int, list[bytes]] = defaultdict(list)

    def admit(self, request_id: bytes, until_ms: int, at_ms: int) -> None:
        """Remember an id, whose request has been opened, to `until_ms` inclusive, or up to a second or a day longer.

        Raises Replayed or ReplayCacheFull.
        """
        while self._ends and self._ends[0] < at_ms:
            self._seen.difference_update(self._ending.pop(heapq.heappop(self._ends)))
        if request_id in self._seen:
            raise Replayed
        if len(self._seen) >= self._capacity:
            raise ReplayCacheFull
        self._seen.add(request_id)
        # Ids that leave together share one entry of the heap, which halves the memory of each.
        grain_ms = _SECOND_MS if until_ms - at_ms <= _HOUR_MS else _DAY_MS
        end_ms = -(-until_ms // grain_ms) * grain_ms
        if end_ms not in self._ending:
            heapq.heappush(self._ends, end_ms)
        self._ending[end_ms].append(request_id)
