"""Where vectors meet the requests that wait for them."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import to_tensor
from enclave.engine.batching.requests import Request, Row
from enclave.engine.errors import EngineError, InferenceFailed
from enclave.engine.jobs import Job
from strongroom.protocol.payloads import Embeddings


class Answers:
    """For each request its job, and one vector of `dimensions` for each of its texts; one caller at a time."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._open: dict[Request, tuple[Job, NDArray[np.float32]]] = {}

    def open(self, request: Request, job: Job) -> None:
        """Begin the answer to a request, which goes to the job."""
        self._open[request] = job, np.zeros((len(request.texts), self._dimensions), dtype=np.float32)

    def fill(self, rows: Sequence[Row], vectors: NDArray[np.float32]) -> None:
        """Copy each row's vector to its place; those of requests that ended meanwhile are dropped."""
        for row, vector in zip(rows, vectors, strict=True):
            if found := self._open.get(row.request):
                found[1][row.index] = vector

    def send(self, requests: Iterable[Request]) -> None:
        """Send the answers of these requests, in bytes of their own."""
        for request in requests:
            job, vectors = self._open[request]
            job.send(Embeddings(to_tensor(vectors)))
            job.send(None)
            del self._open[request]

    def fail(self, requests: Iterable[Request], error: BaseException) -> None:
        """Send each of the requests that still wait an error of its own: a shared one would hold, by its traceback,
        the texts of the whole batch.
        """
        for request in requests:
            if found := self._open.pop(request, None):
                found[0].send(_failure(error))

    def drop(self, request: Request) -> None:
        """Forget a request whose caller left."""
        self._open.pop(request, None)


def _failure(error: BaseException) -> EngineError:
    if isinstance(error, EngineError):
        return type(error)(str(error))
    return InferenceFailed(f"expected the model to finish, got {type(error).__name__}")
