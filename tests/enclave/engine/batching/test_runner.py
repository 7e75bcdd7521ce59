"""The batch runner: many callers, each with the answer it would get alone, or an error of its own."""

import asyncio
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing

import numpy as np
import pytest
from numpy.typing import NDArray

from enclave.engine.batching.runner import BatchRunner
from enclave.engine.batching.scheduler import Scheduler
from enclave.engine.errors import EngineBusy, EngineError, InferenceFailed, TooLong, WrongTask
from enclave.engine.tokenization import EncodedText
from strongroom.protocol.payloads import ChatTask, Embeddings, EmbedTask, Message
from tests.enclave.engine.batching.parts import FakeHead, FakeModel, Vectors, embed, expected
from tests.enclave.engine.packages import collect

LONG, LONGER = "l" * 300, "m" * 350  # each fills a batch

Start = Callable[..., BatchRunner[Vectors]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts runners, and closes them in the end."""
    runners = []

    def start(model: FakeModel, workers: int = 1, **options: object) -> BatchRunner[Vectors]:
        runners.append(BatchRunner(model, workers=workers, **options))  # type: ignore[arg-type]  # its own options
        return runners[-1]

    yield start
    for runner in runners:
        runner.close()


def ask(runner: BatchRunner[Vectors], *texts: str) -> "asyncio.Task[NDArray[np.float32]]":
    return asyncio.ensure_future(embed(runner, texts))


async def entered(model: FakeModel) -> None:
    """Wait until one more batch has begun."""
    assert await asyncio.to_thread(model.entered.acquire, timeout=10)


async def admitted() -> None:
    """Let the tasks made so far hand in their requests."""
    await asyncio.sleep(0)


async def outcome(task: "asyncio.Task[NDArray[np.float32]]") -> EngineError:
    with pytest.raises(EngineError) as caught:
        await task
    return caught.value


async def test_memory_short_between_two_steps_ends_who_is_there_and_not_the_threads(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    runner = start(FakeModel(), workers=2)
    for _ in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(Scheduler, "next_batch", fail)
            found = await asyncio.gather(ask(runner, "a"), ask(runner, "b", "c"), return_exceptions=True)
        assert {str(error) for error in found} == {"expected the model to finish, got MemoryError"}
    assert np.array_equal(await ask(runner, "a"), expected(["a"]))


async def test_vectors_come_in_the_order_of_the_texts(start: Start) -> None:
    texts = [chr(97 + number % 26) * (1 + number * 37 % 300) for number in range(256)]
    vectors = await embed(start(FakeModel(), workers=2), texts)
    assert vectors.tolist() == expected(texts)


async def test_each_caller_gets_its_own_vectors(start: Start) -> None:
    runner = start(FakeModel(), workers=2)
    asked = [[chr(97 + caller) * (1 + caller + 9 * text) for text in range(caller % 4 + 1)] for caller in range(60)]
    answers = await asyncio.gather(*(embed(runner, texts) for texts in asked))
    assert [vectors.tolist() for vectors in answers] == [expected(texts) for texts in asked]


async def test_texts_that_wait_run_together(start: Start) -> None:
    gate = threading.Event()
    model = FakeModel(gate)
    runner = start(model)
    first = ask(runner, "first")
    await entered(model)
    others = [ask(runner, text) for text in ("second", "third", LONG)]
    await admitted()
    gate.set()
    await asyncio.gather(first, *others)
    assert model.batches[0] == ["first"]
    assert sorted(model.batches[1:]) == [[LONG], ["second", "third"]]


async def test_all_cores_are_for_a_batch_that_is_alone(start: Start) -> None:
    gate = threading.Event()
    model = FakeModel(gate)
    runner = start(model, workers=2)
    first = ask(runner, "first")
    await entered(model)
    second = ask(runner, "second")
    await entered(model)
    gate.set()
    await asyncio.gather(first, second)
    await embed(runner, [LONG, LONGER])
    assert model.alone == [True, False, False, model.alone[3]]
    await embed(runner, ["again"])
    assert model.alone[4]


@pytest.mark.parametrize("requests", [[[LONG, LONGER]], [[LONG], [LONGER]]])
async def test_all_workers_work(start: Start, requests: list[list[str]]) -> None:
    both = threading.Barrier(2)

    class Meeting(FakeModel):
        def run(self, texts: Sequence[EncodedText], *, alone: bool) -> list[NDArray[np.float32] | EngineError]:
            both.wait(10)
            return super().run(texts, alone=alone)

    runner = start(Meeting(), workers=2)
    await asyncio.gather(*(embed(runner, texts) for texts in requests))


async def test_a_text_that_is_refused_refuses_its_request_only(start: Start) -> None:
    runner = start(FakeModel())
    good, bad = ask(runner, "a", "b"), ask(runner, "a", "?")
    assert isinstance(error := await outcome(bad), TooLong)
    assert str(error) == "text 1"
    assert (await good).tolist() == expected(["a", "b"])


class Panic(BaseException):
    """What a native library raises: no Exception."""


@pytest.mark.parametrize("raised", [InferenceFailed("x"), ValueError("my secret text"), Panic("my secret text")])
async def test_a_batch_that_fails_fails_its_requests_only(start: Start, raised: BaseException) -> None:
    gate = threading.Event()
    model = FakeModel(gate, raised)
    runner = start(model)
    first = ask(runner, "first")
    await entered(model)
    poison, beside, other = ask(runner, "!" * 190), ask(runner, "b" * 190, LONGER), ask(runner, LONG)
    await admitted()
    gate.set()
    failures = [await outcome(poison), await outcome(beside)]
    for failure in failures:
        assert isinstance(failure, InferenceFailed)
        assert "secret" not in str(failure)
        assert failure.__context__ is None
        assert "_run_batch" not in [frame.name for frame in traceback.extract_tb(failure.__traceback__)]
    assert failures[0] is not failures[1]
    assert (await first).tolist() == expected(["first"])
    assert (await other).tolist() == expected([LONG])
    assert [LONGER] not in model.batches  # of a request that has failed
    assert (await embed(runner, ["next"])).tolist() == expected(["next"])
    assert model.alone[-1]


async def test_a_model_that_forgets_a_vector_fails_its_requests(start: Start) -> None:
    class Forgetful(FakeModel):
        def run(self, texts: Sequence[EncodedText], *, alone: bool) -> list[NDArray[np.float32] | EngineError]:
            return super().run(texts, alone=alone)[:1]

    runner = start(Forgetful())
    assert isinstance(await outcome(ask(runner, "a", "b")), InferenceFailed)
    assert (await embed(runner, ["a"])).tolist() == expected(["a"])


async def test_a_text_without_an_answer_fails_its_request_and_not_the_batch(start: Start) -> None:
    gate = threading.Event()
    model = FakeModel(gate)
    runner = start(model)
    first = ask(runner, "first")
    await entered(model)
    bad, beside = ask(runner, "a", "#", "b"), ask(runner, "c")
    await admitted()
    gate.set()
    assert isinstance(error := await outcome(bad), InferenceFailed)
    assert str(error) == "no number"
    assert error.__context__ is None
    assert (await first).tolist() == expected(["first"])
    assert (await beside).tolist() == expected(["c"])
    assert sorted(model.batches[1]) == ["#", "a", "b", "c"]


async def test_an_answer_that_the_head_refuses_is_an_error_of_that_request(start: Start) -> None:
    class Refusing(FakeHead):
        def event(self, parts: Sequence[NDArray[np.float32]]) -> Embeddings:
            if len(parts) > 1:
                raise TooLong("too many")
            return super().event(parts)

    model = FakeModel()
    model.head = Refusing()
    runner = start(model)
    assert isinstance(error := await outcome(ask(runner, "a", "b")), TooLong)
    assert error.__context__ is None
    assert (await embed(runner, ["next"])).tolist() == expected(["next"])
    assert not runner._answers._open


async def test_the_texts_of_a_caller_who_left_do_not_run(start: Start) -> None:
    gate = threading.Event()
    model = FakeModel(gate)
    runner = start(model, max_requests=3)
    first = ask(runner, "first")
    await entered(model)
    gone, stays = ask(runner, "gone", LONG), ask(runner, "stays")
    await admitted()
    assert not runner.room
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert runner.room
    gate.set()
    await asyncio.gather(first, stays)
    assert model.batches == [["first"], ["stays"]]
    assert not runner._answers._open


async def test_a_caller_who_leaves_in_its_batch_harms_nobody(start: Start) -> None:
    gate = threading.Event()
    model = FakeModel(gate)
    runner = start(model)
    gone = ask(runner, "gone")
    await entered(model)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    gate.set()
    assert (await embed(runner, ["next"])).tolist() == expected(["next"])


async def test_who_waits_beyond_the_deadline_is_told(start: Start) -> None:
    gate, now = threading.Event(), [0.0]
    model = FakeModel(gate)
    runner = start(model, deadline_s=10, clock=lambda: now[0])
    begun = ask(runner, LONG, LONGER)
    await entered(model)
    late = ask(runner, "late")
    await admitted()
    now[0] = 5.0
    in_time = ask(runner, "in time")
    await admitted()
    now[0] = 10.0
    gate.set()
    assert isinstance(error := await outcome(late), EngineBusy)
    assert "within 10 s" in str(error)
    assert (await begun).tolist() == expected([LONG, LONGER])
    assert (await in_time).tolist() == expected(["in time"])


async def test_one_too_many_is_refused_and_the_next_is_not(start: Start) -> None:
    gate = threading.Event()
    model = FakeModel(gate)
    runner = start(model, max_requests=2, max_texts=512)
    first = ask(runner, "a")
    await entered(model)
    assert runner.room
    assert isinstance(await outcome(ask(runner, *["a"] * 512)), EngineBusy)
    second = ask(runner, "a")
    await admitted()
    assert not runner.room
    assert isinstance(await outcome(ask(runner, "a")), EngineBusy)
    gate.set()
    await asyncio.gather(first, second)
    assert runner.room
    await embed(runner, ["a", "b", "c"])


async def test_closing_ends_who_runs_and_who_waits(start: Start) -> None:
    gate = threading.Event()
    model = FakeModel(gate)
    runner = start(model)
    running = ask(runner, LONG, LONGER)
    await entered(model)
    waiting = ask(runner, "waiting")
    await admitted()
    closing = asyncio.ensure_future(asyncio.to_thread(runner.close))
    for task in (running, waiting):
        assert isinstance(error := await outcome(task), EngineBusy)
        assert "closing" in str(error)
    gate.set()
    await closing
    assert len(model.batches) == 1
    assert not runner.room
    assert isinstance(await outcome(ask(runner, "late")), EngineBusy)


async def test_nothing_is_kept_of_a_request_that_ended(start: Start) -> None:
    runner = start(FakeModel())
    await embed(runner, ["a"])
    await outcome(ask(runner, "?"))
    await outcome(ask(runner, "!"))
    assert not runner._answers._open
    assert not len(runner._scheduler)


async def test_an_answer_that_was_sent_is_not_kept_for_its_reader(start: Start) -> None:
    runner = start(FakeModel())
    async with aclosing(runner.run(EmbedTask(["a"]))) as events:
        await anext(events)
        with runner._lock:
            assert not runner._answers._open


async def test_other_tasks_are_refused(start: Start) -> None:
    with pytest.raises(WrongTask):
        await collect(start(FakeModel()).run(ChatTask([Message("user", "x")])))


def test_a_loop_that_ended_does_not_stop_the_runner(start: Start) -> None:
    gate = threading.Event()
    model = FakeModel(gate)
    runner = start(model)
    loop = asyncio.new_event_loop()
    abandoned = loop.create_task(embed(runner, ["abandoned"]))
    loop.run_until_complete(entered(model))
    abandoned.cancel()
    loop.run_until_complete(asyncio.gather(abandoned, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    gate.set()
    assert asyncio.run(embed(runner, ["next"])).tolist() == expected(["next"])
