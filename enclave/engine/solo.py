"""The runner of models that are not batched: one thread, one task at a time, a bounded queue in front of it."""

from collections.abc import Generator
from contextlib import closing
from typing import Protocol

from enclave.engine.cancellation import Cancellation
from enclave.engine.errors import EngineError
from enclave.engine.failures import failure_of
from enclave.engine.jobs import Job
from enclave.engine.observation import ModelObserver
from enclave.engine.runner import Ports
from enclave.engine.thread_runner import ThreadRunner
from strongroom.protocol.payloads import Event, Task


class Model(Protocol):
    """A loaded model: runs in one thread, one task at a time."""

    @property
    def ports(self) -> Ports:
        """Those of its runner."""

    def run(self, task: Task, cancellation: Cancellation) -> Generator[Event, None, None]:
        """The events of one task; a generator, closed when the task ends in any way."""

    def close(self) -> None:
        """Give back what it holds; called once, after the last run."""


class SoloRunner(ThreadRunner):
    """Runs the tasks of one model in the order they came, each to its end or its cancellation."""

    def __init__(self, model: Model, max_queued: int, observer: ModelObserver | None = None) -> None:
        """`max_queued` tasks may wait behind the one that runs. Raises MemoryError when no thread comes up."""
        super().__init__(max_queued + 1, observer)
        self._model, self.ports = model, model.ports

    def close(self) -> None:
        """Cancel all tasks, wait for the thread, and close the model."""
        super().close()
        self._model.close()

    def _begin(self, job: Job) -> None:
        self._end(job, self._events(job))

    def _events(self, job: Job) -> EngineError | None:
        """Send the events of the job; the error that ended it, if one did."""
        try:
            job.cancellation.check()
            self._observer.observe("queue_seconds", job.age_s)
            with closing(self._model.run(job.task, job.cancellation)) as events:
                for event in events:
                    job.send(event)
        except BaseException as error:
            return failure_of(error)
        return None
