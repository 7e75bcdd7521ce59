"""The runner of encoders: the texts of all requests, in micro-batches, on all cores."""

import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from typing import Generic, NamedTuple, Protocol

from enclave.engine.batching.answers import Answers
from enclave.engine.batching.heads.head import Head, Part
from enclave.engine.batching.intake import Turn
from enclave.engine.batching.requests import Request, Row
from enclave.engine.batching.scheduler import Scheduler
from enclave.engine.errors import EngineBusy, EngineError, WrongTask
from enclave.engine.failures import cancelled
from enclave.engine.jobs import Job
from enclave.engine.observation import ModelObserver
from enclave.engine.runner import NO_PORTS
from enclave.engine.tokenization import EncodedText
from enclave.threads import running_pool
from strongroom.protocol.payloads import Event, Task

MAX_REQUESTS = 256
MAX_TEXTS = 4096
DEADLINE_S = 10.0


class Model(Protocol[Part]):
    """What a batch runner runs, from several threads at a time."""

    @property
    def head(self) -> Head[Part]:
        """Which tasks the model takes, and what their answers are."""

    @property
    def depends_on_batch(self) -> bool:
        """Whether the part of a text depends on the texts it is run with: two requests then never share a batch."""

    def encode(self, index: int, text: str) -> EncodedText:
        """The text, which is its request's text of that index, with its tokens; raise an EngineError."""

    def run(self, texts: Sequence[EncodedText], *, alone: bool) -> Sequence[Part | EngineError]:
        """For each text its part of an answer, or why it has none; `alone`: no other batch is under way."""


class _Batch(NamedTuple):
    rows: list[Row]
    alone: bool


class BatchRunner(Generic[Part]):
    """Runs the texts of many requests together, by `workers` threads.

    A thread works as long as the scheduler has a step for it: a turn of the tokenizer, or a batch.
    """

    ports = NO_PORTS

    def __init__(
        self,
        model: Model[Part],
        *,
        workers: int,
        max_requests: int = MAX_REQUESTS,
        max_texts: int = MAX_TEXTS,
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
        observer: ModelObserver | None = None,
    ) -> None:
        """A request of which no text has run `deadline_s` seconds after it came, by `clock`, gets EngineBusy.

        Raises MemoryError when not all threads come up.
        """
        shared = not model.depends_on_batch
        self._model = model
        self._workers = workers
        self._deadline_s, self._clock = deadline_s, clock
        self._observer = observer or ModelObserver()
        self._pool = running_pool(workers, "batch")
        self._lock = threading.Lock()  # over everything below
        self._scheduler = Scheduler(max_requests=max_requests, max_texts=max_texts, shared=shared)
        self._answers = Answers(model.head)
        self._awake = 0
        self._batches = 0
        self._closed = False

    @property
    def room(self) -> int:
        """How many more requests may wait, of as many texts as a request can have."""
        with self._lock:
            return 0 if self._closed else self._scheduler.room

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """One event, the head's; closing this generator cancels the task.

        Raises WrongTask, EngineBusy, InvalidRequest, TooLong, InferenceFailed.
        """
        if not isinstance(task, kind := self._model.head.task):
            raise WrongTask(f"this model takes {kind.__struct_config__.tag} tasks only")
        job, request = Job(task), Request(task.texts, self._clock() + self._deadline_s)
        self._admit(request, job)
        try:
            async with aclosing(job.events()) as events:
                async for event in events:
                    yield event
        finally:
            self._leave(request)

    def close(self) -> None:
        """Refuse all requests and wait for the threads: at most one step each."""
        with self._lock:
            self._closed = True
            self._end(self._scheduler.requests(), cancelled())
        self._pool.shutdown()

    def _admit(self, request: Request, job: Job) -> None:
        with self._lock:
            if self._closed:
                raise EngineBusy("the engine is closing; send the request to another enclave")
            self._scheduler.add(request)
            self._answers.open(request, job)
            self._wake()

    def _leave(self, request: Request) -> None:
        with self._lock:
            self._scheduler.cancel(request)
            self._answers.drop(request)

    def _wake(self) -> None:
        if self._awake < self._workers:
            self._pool.submit(self._work)  # which waits for the lock
            self._awake += 1

    def _work(self) -> None:
        try:
            while (step := self._next()) is not None:
                self._do(step)
                del step  # a thread that sleeps holds nobody's texts
        except BaseException as error:  # memory can be short anywhere, while another model takes what there is
            with self._lock:
                self._awake -= 1
                self._end(self._scheduler.requests(), error)

    def _next(self) -> Turn | _Batch | None:
        """The next step of this thread, after waking another for what is left; None sends this one to sleep."""
        with self._lock:
            late = self._scheduler.late(self._clock())
            self._end(late, EngineBusy(f"expected a turn within {self._deadline_s:g} s, got none; try again later"))
            step = None if self._closed else self._scheduler.next_turn() or self._next_batch()
            if step is None:
                self._awake -= 1
            elif self._scheduler.has_work:
                self._wake()
            return step

    def _next_batch(self) -> _Batch | None:
        if not (rows := self._scheduler.next_batch()):
            return None
        self._observe(rows)
        self._batches += 1
        return _Batch(rows, alone=self._batches == 1 and not self._scheduler.has_work)

    def _observe(self, rows: list[Row]) -> None:
        """Count the requests that begin with these rows."""
        for request in {row.request for row in rows if row.request.batches == 1}:
            self._observer.observe("queue_seconds", self._clock() - request.deadline_s + self._deadline_s)
            self._observer.observe("batch_texts", len(rows))

    def _do(self, step: Turn | _Batch) -> None:
        try:
            if isinstance(step, Turn):
                self._tokenize(step)
            else:
                self._run_batch(step)
        except BaseException as error:  # also the panics of native libraries, which are no Exceptions
            with self._lock:
                self._end([step.request] if isinstance(step, Turn) else {row.request for row in step.rows}, error)

    def _tokenize(self, turn: Turn) -> None:
        texts = enumerate(turn.texts, turn.first)
        rows = [Row(turn.request, index, self._model.encode(index, text)) for index, text in texts]
        with self._lock:
            self._scheduler.put(turn.request, rows)

    def _run_batch(self, batch: _Batch) -> None:
        try:
            parts = self._model.run([row.text for row in batch.rows], alone=batch.alone)
        finally:
            with self._lock:
                self._batches -= 1
        with self._lock:
            self._answers.fill(batch.rows, parts)
            self._answers.send(self._scheduler.finish(batch.rows))

    def _end(self, requests: Collection[Request], error: BaseException) -> None:
        for request in requests:
            self._scheduler.cancel(request)
        self._answers.fail(requests, error)
