"""What the runners that begin one task after the other share: so many tasks, each of which is told how it ended."""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from enclave.engine.errors import EngineBusy, EngineError
from enclave.engine.jobs import Job, Listener
from enclave.engine.observation import ModelObserver
from enclave.engine.runner import NO_PORTS, Ports
from enclave.threads import running_pool
from strongroom.protocol.payloads import Event, Task


class ThreadRunner(ABC):
    """A bounded queue in front of one model, and the thread that begins the tasks in it.

    It never waits for a reader, so a slow client holds up nobody; what waits for it is bounded by its max_tokens.
    """

    ports: Ports = NO_PORTS

    def __init__(self, limit: int, observer: ModelObserver | None) -> None:
        """`limit` tasks may run or wait. Raises MemoryError when no thread comes up."""
        self._limit = limit
        self._observer = observer or ModelObserver()
        self._pool = running_pool(1, "model")
        self._lock = threading.Lock()  # over everything below
        self._jobs: set[Listener] = set()
        self._queue: deque[Job] = deque()
        self._beginning = self._closed = False

    @property
    def room(self) -> int:
        """How many more tasks may run or wait; one that left once it had begun counts until its step is over."""
        return 0 if self._closed else self._limit - len(self._jobs)

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """The events of the task; closing this generator cancels it. Raises EngineBusy and the model's EngineErrors."""
        job = Job(task)
        self._admit(job)
        try:
            async with aclosing(job.events()) as events:
                async for event in events:
                    yield event
        finally:
            self._leave(job)

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
            if not self._beginning:
                self._pool.submit(self._begin_all)  # which waits for the lock
                self._beginning = True
            self._queue.append(job)
            self._jobs.add(job)

    def _leave(self, job: Job) -> None:
        """Forget it unless it has begun: then it is cancelled, and the thread ends it."""
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
                self._jobs.remove(job)

    def _begin_all(self) -> None:
        while (job := self._next()) is not None:
            self._begin(job)

    def _next(self) -> Job | None:
        """The one that waits longest; None sends the thread to sleep."""
        with self._lock:
            self._beginning = bool(self._queue)
            return self._queue.popleft() if self._queue else None

    @abstractmethod
    def _begin(self, job: Job) -> None:
        """Do what the thread does for the job, one that was cancelled included. Raises nothing."""

    def _end(self, listener: Listener, failure: EngineError | None) -> None:
        """Give the place back, and say so, or why."""
        with self._lock:
            self._jobs.remove(listener)
        listener.send(failure)
