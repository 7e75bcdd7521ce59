"""Where the parts of answers meet the requests that wait for them."""

from collections.abc import Iterable, Sequence
from typing import Generic

from enclave.engine.batching.heads.head import Head, Part
from enclave.engine.batching.requests import Request, Row
from enclave.engine.errors import EngineError
from enclave.engine.failures import failure_of
from enclave.engine.jobs import Job
from strongroom.protocol.payloads import Event


class Answers(Generic[Part]):
    """For each request its job, and the part of each of its texts, or why it has none; one caller at a time."""

    def __init__(self, head: Head[Part]) -> None:
        self._head = head
        self._open: dict[Request, tuple[Job, dict[int, Part | EngineError]]] = {}

    def open(self, request: Request, job: Job) -> None:
        """Begin the answer to a request, which goes to the job."""
        self._open[request] = job, {}

    def fill(self, rows: Sequence[Row], parts: Sequence[Part | EngineError]) -> None:
        """Put each row's part in its place; those of requests that ended meanwhile are dropped."""
        for row, part in zip(rows, parts, strict=True):
            if found := self._open.get(row.request):
                found[1][row.index] = part

    def send(self, requests: Iterable[Request]) -> None:
        """Send the answers of these requests, all of whose texts have run."""
        for request in requests:
            job, parts = self._open.pop(request)
            try:
                job.send(self._event([parts[index] for index in range(len(request.texts))]))
                job.send(None)
            except Exception as error:
                job.send(failure_of(error))

    def fail(self, requests: Iterable[Request], error: BaseException) -> None:
        """Send each of the requests that still wait an error of its own: a shared one would hold, by its traceback,
        the texts of the whole batch.
        """
        for request in requests:
            if found := self._open.pop(request, None):
                found[0].send(failure_of(error))

    def drop(self, request: Request) -> None:
        """Forget a request whose caller left."""
        self._open.pop(request, None)

    def _event(self, parts: Sequence[Part | EngineError]) -> Event:
        """The answer; raise the first of its errors, or the head's."""
        good: list[Part] = []
        for part in parts:
            if isinstance(part, EngineError):
                raise part
            good.append(part)
        return self._head.event(good)
