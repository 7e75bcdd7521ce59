"""The runner of language models: a thread that reads prompts, and one that steps all conversations."""

from collections import deque

from enclave.engine.errors import EngineError, InferenceFailed
from enclave.engine.failures import cancelled, failure_of
from enclave.engine.generation.batch import Batch
from enclave.engine.generation.conversation import Conversation
from enclave.engine.generation.model import LanguageModel
from enclave.engine.jobs import Job
from enclave.engine.observation import ModelObserver
from enclave.engine.thread_runner import ThreadRunner
from enclave.threads import running_pool


class SlotRunner(ThreadRunner):
    """Runs the chats of one model side by side, as many as it has rows; the others wait in the order they came.

    To tokenise a prompt can take longer than a step, so a thread of its own does it: the streams go on meanwhile. When
    it is the task's turn, `run` raises its WrongTask, InvalidRequest, TooLong or InferenceFailed.
    """

    def __init__(self, model: LanguageModel, max_queued: int, observer: ModelObserver | None = None) -> None:
        """`max_queued` tasks may wait behind those that have a row. Raises MemoryError when no thread comes up."""
        super().__init__(model.graph.rows + max_queued, observer)
        self._model = model
        self._batch = Batch(model.graph)
        self._steps = running_pool(1, "steps")
        self._waiting: deque[tuple[Job, Conversation | EngineError]] = deque()
        self._working = False

    def close(self) -> None:
        """Cancel all tasks and wait for the threads: at most one prompt, and one step of the model."""
        super().close()
        self._steps.shutdown()

    def _begin(self, job: Job) -> None:
        """Make a conversation of the job, in the prompts' thread, and see to it that it is stepped."""
        read = self._conversation(job)
        with self._lock:
            if job not in self._jobs:
                return  # it ended with all others
            self._waiting.append((job, read))
            if not self._working:
                self._steps.submit(self._work)
                self._working = True

    def _conversation(self, job: Job) -> Conversation | EngineError:
        """Of the job, or why there is none."""
        try:
            job.cancellation.check()
            return self._model.start(job.task, job)
        except BaseException as error:
            return failure_of(error, "the tokenizer")

    def _work(self) -> None:
        """Steps, until nobody waits for any."""
        failure = ""
        while self._has_work():
            try:  # memory can be short anywhere, while another model takes what there is
                if failure:
                    self._fail_all(failure)
                    failure = ""
                else:
                    self._step()
            except BaseException as error:
                failure = type(error).__name__

    def _has_work(self) -> bool:
        with self._lock:
            self._working = bool(self._waiting) or len(self._batch) > 0
            return self._working

    def _step(self) -> None:
        self._drop_cancelled()
        self._let_in()
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

    def _drop_cancelled(self) -> None:
        """End those that left, before the others take a step: their places are free at once."""
        for conversation in self._batch.drop_cancelled():
            self._end(conversation.listener, conversation.failure)
        with self._lock:
            left = [each for each in self._waiting if each[0].cancellation.cancelled]
            for each in left:
                self._waiting.remove(each)
        for job, _ in left:
            self._end(job, cancelled())

    def _let_in(self) -> None:
        """Give the free rows to those who wait longest; end those of them that were refused."""
        while self._batch.has_room:
            with self._lock:
                if not self._waiting:
                    return
                job, read = self._waiting.popleft()
            if isinstance(read, EngineError):
                self._end(job, read)
            else:
                self._observer.observe("queue_seconds", job.age_s)
                self._observer.observe("slots_in_use", 1 + len(self._batch))
                self._batch.join(read)
