"""The runner of language models: one thread that steps all conversations, a bounded queue in front of it."""

from collections import deque

from enclave.engine.cancellation import Cancelled
from enclave.engine.errors import EngineBusy, EngineError, InferenceFailed
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.model import LanguageModel
from enclave.engine.jobs import Job
from enclave.engine.observation import ModelObserver
from enclave.engine.thread_runner import ThreadRunner


class SlotRunner(ThreadRunner):
    """Runs the chats of one model side by side, as many as it has rows; the others wait in the order they came.

    Once a task has a row, `run` raises its WrongTask, InvalidRequest, TooLong or InferenceFailed.
    """

    def __init__(self, model: LanguageModel, max_queued: int, observer: ModelObserver | None = None) -> None:
        """`max_queued` tasks may wait behind those that have a row. Raises MemoryError when no thread comes up."""
        super().__init__(model.graph.rows + max_queued, observer)
        self._model = model
        self._batch = Batch(model.graph)
        self._waiting: deque[Job] = deque()
        self._working = False

    def _enqueue(self, job: Job) -> None:
        if not self._working:
            self._pool.submit(self._work)
            self._working = True
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


def _has_left(job: Job) -> bool:
    try:
        job.cancellation.check()
    except Cancelled:
        return True
    return False
