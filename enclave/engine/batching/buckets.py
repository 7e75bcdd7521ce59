"""Rows of like length, kept together so that little of a batch is padding."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable

from enclave.engine.batching.requests import Request, Row

MAX_BATCH_TOKENS = 384
"""Rows run together as long as their number times the longest of them stays within this many tokens, or one alone.

Measured on all-MiniLM-L6 in float32: fewer than 256 waste what a run costs by itself, more than 512 leave the cache.
"""

MAX_PASSES = 3
"""A bucket that was passed over so often comes before fuller ones."""

_WIDTHS = sorted({16 << octave for octave in range(13)} | {24 << octave for octave in range(12)})


def width_of(tokens: int) -> int:
    """The longest row in tokens that shares a bucket with a row of this length: 16, 24, 32, 48, 64, 96, …

    At most a third of a batch is padding then; below 16 tokens, a run of its own costs more than the padding.
    """
    place = bisect_left(_WIDTHS, tokens)
    return _WIDTHS[place] if place < len(_WIDTHS) else tokens


class Bucket:
    """Rows of at most `width` tokens, by request: each request gives one row in turn."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._rows = 0
        self._queues: dict[Request, deque[Row]] = {}
        self.passed_over = 0

    def __len__(self) -> int:
        return self._rows

    @property
    def urgency(self) -> tuple[int, int, int]:
        """Compares buckets: passed over too often, then nearest to a full batch, then passed over at all."""
        overdue = self.passed_over if self.passed_over >= MAX_PASSES else 0
        return overdue, min(self._rows * self._width, MAX_BATCH_TOKENS), self.passed_over

    def add(self, row: Row) -> None:
        """Put the row behind those of its request, and a new request behind the others."""
        self._queues.setdefault(row.request, deque()).append(row)
        self._rows += 1

    def take(self) -> list[Row]:
        """One batch, from one request after another."""
        batch: list[Row] = []
        longest = 0
        while (row := self._first()) is not None:
            longest = max(longest, row.tokens)
            if batch and (len(batch) + 1) * longest > MAX_BATCH_TOKENS:
                break
            batch.append(row)
            self._pass_turn(row.request)
        self.passed_over = 0
        return batch

    def drop(self, request: Request) -> None:
        """Remove the rows of the request."""
        self._rows -= len(self._queues.pop(request, ()))

    def _first(self) -> Row | None:
        return next((queue[0] for queue in self._queues.values()), None)

    def _pass_turn(self, request: Request) -> None:
        queue = self._queues.pop(request)
        queue.popleft()
        self._rows -= 1
        if queue:
            self._queues[request] = queue


class Buckets:
    """All rows that wait. With `shared` False, the rows of two requests never share a batch."""

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._groups: dict[Request | None, dict[int, Bucket]] = {}  # by request, or all in one; then by width

    def __len__(self) -> int:
        return sum(len(bucket) for buckets in self._groups.values() for bucket in buckets.values())

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, rows: Iterable[Row]) -> None:
        """Put each row into the bucket of its length."""
        for row in rows:
            width = width_of(row.tokens)
            buckets = self._groups.setdefault(None if self._shared else row.request, {})
            buckets.setdefault(width, Bucket(width)).add(row)

    def take(self) -> list[Row]:
        """The batch to run next; empty when no row waits.

        Requests that never share give one in turn. The fullest bucket gives it, unless another was passed over
        MAX_PASSES times: so a row waits for at most MAX_PASSES batches more than there are buckets, until its bucket's
        next batch, and for as many of each other request that does not share.
        """
        if not self._groups:
            return []
        group = next(iter(self._groups))
        buckets = self._groups.pop(group)
        chosen = max(buckets.values(), key=lambda bucket: bucket.urgency)
        for bucket in buckets.values():
            bucket.passed_over += 1
        batch = chosen.take()
        self._keep(group, buckets)
        return batch

    def drop(self, request: Request) -> None:
        """Remove the rows of the request."""
        group = None if self._shared else request
        buckets = self._groups.pop(group, {})
        for bucket in buckets.values():
            bucket.drop(request)
        self._keep(group, buckets)

    def _keep(self, group: Request | None, buckets: dict[int, Bucket]) -> None:
        """Put a group behind the others, without its empty buckets, if any is left."""
        if left := {width: bucket for width, bucket in buckets.items() if len(bucket)}:
            self._groups[group] = left
