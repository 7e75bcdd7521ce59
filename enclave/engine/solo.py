"""The runner of models that are not batched: one thread, one task at a time, a bounded queue in front of it."""

import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from typing import Protocol

from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.errors import EngineBusy, EngineError, InferenceFailed
from enclave.engine.jobs import Job
from enclave.engine.observation import ModelObserver
from enclave.threads import running_pool
from strongroom.protocol.payloads import Event, Task


class Model(Protocol):
    """A loaded model: runs in one thread, one task at a time."""

    def run(self, task: Task, cancellation: Cancellation) -> Generator[Event, None, None]:
        """The events of one task; a generator, closed when the task ends in any way."""


class SoloRunner:
    """Runs the tasks of one model in the order they came, each to its end or its cancellation.

    The thread never waits for a reader, so a slow client holds up nobody; what waits for it is bounded by its
    max_tokens.
    """

    def __init__(self, model: Model, max_queued: int, observer: ModelObserver | None = None) -> None:
        """`max_queued` tasks may wait behind the one that runs. Raises MemoryError when no thread comes up."""
        self._model = model
        self._limit = max_queued + 1
        self._observer = observer or ModelObserver()
        self._pool = running_pool(1, "model")
        self._lock = threading.Lock()
        self._jobs: set[Job] = set()
        self._closed = False

    @property
    def room(self) -> int:
        """How many more tasks may run or wait; one that was cancelled in the queue counts until its turn."""
        return 0 if self._closed else self._limit - len(self._jobs)

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """The events of the task; closing this generator cancels it. Raises EngineBusy and the model's EngineErrors."""
        job = Job(task)
        self._admit(job)
        async with aclosing(job.events()) as events:
            async for event in events:
                yield event

    def close(self) -> None:
        """Cancel all tasks and wait for the thread: at most one step of the model."""
        with self._lock:
            self._closed = True
            for job in self._jobs:
                job.cancellation.cancel()
        self._pool.shutdown()

    def _admit(self, job: Job) -> None:
        with self._lock:
            if self._closed:
                raise EngineBusy("the engine is closing; send the request to another enclave")
            if len(self._jobs) >= self._limit:
                raise EngineBusy(f"expected at most {self._limit} requests for this model at a time; try again later")
            self._pool.submit(self._work, job)  # which waits for the lock
            self._jobs.add(job)

    def _work(self, job: Job) -> None:
        failure = self._events(job)
        with self._lock:
            self._jobs.remove(job)
        job.send(failure)

    def _events(self, job: Job) -> EngineError | None:
        """Send the events of the job; the error that ended it, if one did."""
        try:
            job.cancellation.check()
            self._observer.observe("queue_seconds", job.age_s)
            with closing(self._model.run(job.task, job.cancellation)) as events:
                for event in events:
                    job.send(event)
        except Cancelled:
            return EngineBusy("the request was cancelled, since the engine is closing")
        except EngineError as error:
            return error
        except BaseException as error:  # also the panics of native libraries, which are no Exceptions
            return InferenceFailed(f"expected the model to finish, got {type(error).__name__}")
        return None
