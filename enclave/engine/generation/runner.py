"""The runner of language models: one thread that steps all conversations, a bounded queue in front of it."""

import threading
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from enclave.engine.cancellation import Cancelled
from enclave.engine.errors import EngineBusy, EngineError, InferenceFailed
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.conversation import Listener
from enclave.engine.generation.model import LanguageModel
from enclave.engine.jobs import Job
from enclave.engine.observation import ModelObserver
from enclave.threads import running_pool
from strongroom.protocol.payloads import Event, Task


class SlotRunner:
    """Runs the chats of one model side by side, as many as it has rows; the others wait in the order they came.

    The thread never waits for a reader, so a slow client holds up nobody; what waits for it is bounded by its
    max_tokens.
    """

    def __init__(self, model: LanguageModel, max_queued: int, observer: ModelObserver | None = None) -> None:
        """`max_queued` tasks may wait behind those that have a row. Raises MemoryError when no thread comes up."""
        self._model = model
        self._batch = Batch(model.graph)
        self._limit = model.graph.rows + max_queued
        self._observer = observer or ModelObserver()
        self._pool = running_pool(1, "model")
        self._lock = threading.Lock()
        self._jobs: set[Listener] = set()
        self._waiting: deque[Job] = deque()
        self._working = False
        self._closed = False

    @property
    def room(self) -> int:
        """How many more tasks may run or wait; one that was cancelled counts until the next step."""
        return 0 if self._closed else self._limit - len(self._jobs)

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """The events of the task; closing this generator cancels it.

        Raises EngineBusy, and WrongTask, InvalidRequest, TooLong or InferenceFailed when it has a row.
        """
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
            if not self._working:
                self._pool.submit(self._work)  # which waits for the lock
                self._working = True
            self._jobs.add(job)
            self._waiting.append(job)

    def _work(self) -> None:
        """Steps, until nobody waits for any."""
        while self._has_work():
            try:
                self._step()
            except BaseException as error:  # memory can be short anywhere, while another model takes what there is
                self._fail_all(type(error).__name__)

    def _step(self) -> None:
        self._drop_cancelled()
        self._start_next()
        for conversation in self._batch.step():
            self._end(conversation.listener, conversation.failure)

    def _fail_all(self, cause: str) -> None:
        """End all tasks, each with an error of its own: of no row is it known what is in it."""
        self._batch.clear()
        with self._lock:
            jobs = list(self._jobs)
            self._waiting.clear()
        for job in jobs:
            self._end(job, InferenceFailed(f"expected the model to finish, got {cause}"))

    def _has_work(self) -> bool:
        with self._lock:
            self._working = bool(self._jobs)
            return self._working

    def _drop_cancelled(self) -> None:
        """End those that left while they waited."""
        with self._lock:
            left = [job for job in self._waiting if _has_left(job)]
            for job in left:
                self._waiting.remove(job)
        for job in left:
            self._end(job, EngineBusy("the request was cancelled, since the engine is closing"))

    def _start_next(self) -> None:
        """Give a row to who waits longest: to one in each step, since its prompt is tokenised while others decode."""
        if not self._batch.has_room:
            return
        with self._lock:
            if not self._waiting:
                return
            job = self._waiting.popleft()
        self._observer.observe("queue_seconds", job.age_s)
        self._observer.observe("slots_in_use", 1 + len(self._batch))
        try:
            self._batch.join(self._model.start(job.task, job))
        except EngineError as error:
            self._end(job, error)
        except BaseException as error:  # also the panics of native libraries, which are no Exceptions
            self._end(job, InferenceFailed(f"expected the tokenizer to finish, got {type(error).__name__}"))

    def _end(self, listener: Listener, failure: EngineError | None) -> None:
        with self._lock:
            self._jobs.remove(listener)
        listener.send(failure)


def _has_left(job: Job) -> bool:
    try:
        job.cancellation.check()
    except Cancelled:
        return True
    return False
