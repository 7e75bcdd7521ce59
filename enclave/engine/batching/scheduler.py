"""What the workers do next: sans I/O, threads, clock and model.

Requests come in by `add`. A worker asks `next_turn` for texts to tokenise and gives the rows back by `put`, then asks
`next_batch` for rows to run, of any requests, and reports them by `finish`. No call waits: there is no window in which
a batch is gathered. An idle worker takes what is there; when all are busy, rows gather by themselves.
"""

from collections import Counter
from collections.abc import Sequence

from enclave.engine.batching.buckets import Buckets
from enclave.engine.batching.intake import Intake, Turn
from enclave.engine.batching.requests import Request, Row
from enclave.engine.errors import EngineBusy
from strongroom.protocol.payloads import MAX_TEXTS


class Scheduler:
    """The requests under way, bounded in number and in texts; one caller uses it at a time.

    With `shared` False, the rows of two requests never share a batch, and which rows of one request do follows from
    its texts alone.
    """

    def __init__(self, *, max_requests: int, max_texts: int, shared: bool) -> None:
        self._max_requests, self._max_texts = max_requests, max_texts
        self._intake = Intake()
        self._buckets = Buckets(shared=shared)
        self._requests: dict[Request, None] = {}
        self._not_begun: dict[Request, None] = {}

    def __len__(self) -> int:
        return len(self._requests)

    @property
    def room(self) -> int:
        """How many more requests may wait, of as many texts as a request can have."""
        return min(self._max_requests - len(self), (self._max_texts - self._waiting_texts()) // MAX_TEXTS)

    @property
    def has_work(self) -> bool:
        """Whether `next_turn` or `next_batch` has something to give."""
        return bool(self._intake) or bool(self._buckets)

    def add(self, request: Request) -> None:
        """Take the request; raise EngineBusy if it is one too many, or its texts are."""
        if len(self) >= self._max_requests:
            limit = self._max_requests
            raise EngineBusy(f"expected at most {limit} requests for this model at a time; try again later")
        if (texts := self._waiting_texts() + request.unfinished) > self._max_texts:
            raise EngineBusy(f"expected at most {self._max_texts} texts to wait, got {texts}; try again later")
        self._requests[request] = None
        self._not_begun[request] = None
        self._intake.add(request)

    def requests(self) -> list[Request]:
        """All requests under way."""
        return list(self._requests)

    def late(self, at_s: float) -> list[Request]:
        """The requests of which no row was given out by their deadline."""
        return [request for request in self._not_begun if request.deadline_s <= at_s]

    def next_turn(self) -> Turn | None:
        """Texts to tokenise before the next batch: of each request in turn that has no rows."""
        return self._intake.take()

    def put(self, request: Request, rows: Sequence[Row]) -> None:
        """Take the rows of a turn; those of a request that was cancelled meanwhile are dropped."""
        if request in self._requests:
            request.ready += len(rows)
            self._buckets.add(rows)

    def next_batch(self) -> list[Row]:
        """The rows to run together now; empty when none waits."""
        batch = self._buckets.take()
        for request, rows in Counter(row.request for row in batch).items():
            self._not_begun.pop(request, None)
            request.batches += 1
            request.ready -= rows
            if not request.ready:
                self._intake.add(request)
        return batch

    def finish(self, rows: Sequence[Row]) -> list[Request]:
        """Count the rows as run; the requests that have all their rows now, which are forgotten."""
        finished = []
        for request, count in Counter(row.request for row in rows).items():
            request.unfinished -= count
            if not request.unfinished and request in self._requests:
                finished.append(request)
                self.cancel(request)
        return finished

    def cancel(self, request: Request) -> None:
        """Forget the request and its rows, if it is still known; a batch that has begun runs to its end."""
        if request in self._requests:
            del self._requests[request]
            self._not_begun.pop(request, None)
            self._intake.drop(request)
            self._buckets.drop(request)

    def _waiting_texts(self) -> int:
        return sum(request.unfinished for request in self._requests)
