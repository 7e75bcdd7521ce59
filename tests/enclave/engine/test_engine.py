"""The engine under several requests: the same answers, bounded queues, work that stops."""

import asyncio
import gc
import threading
from collections.abc import Generator
from typing import get_args

import pytest

from enclave.engine import errors
from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.engine import Engine
from enclave.engine.errors import EngineBusy, EngineError, InferenceFailed, ModelRejected, UnknownModel, WrongTask
from enclave.engine.jobs import Job
from enclave.engine.runner import NO_PORTS
from enclave.engine.solo import SoloRunner
from strongroom.protocol.payloads import (
    ChatTask,
    DescribeTask,
    Description,
    Embeddings,
    EmbedTask,
    Event,
    FailureCode,
    InferTask,
    Message,
    Outputs,
    Task,
    TextDelta,
)
from strongroom.protocol.tensors import Port, Tensor
from tests.enclave.engine.packages import Package, collect, end_of, text_of

CHAT = ChatTask([Message("user", "hello")], max_tokens=12)
OTHER = ChatTask([Message("user", "something else entirely")], max_tokens=12, temperature=1.0, seed=3)
EMBED = EmbedTask(["one", "two"])
INFER = InferTask({"x": Tensor("float32", [1, 4], bytes(16))})


class Gated:
    """A model that gives one event, waits for its gate or its cancellation, then gives another."""

    ports = NO_PORTS

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.closed = 0
        self.is_closed = False

    def run(self, task: Task, cancellation: Cancellation) -> Generator[Event, None, None]:
        try:
            yield TextDelta("first")
            while not self.gate.wait(0.001):
                cancellation.check()
            yield TextDelta("second")
        finally:
            self.closed += 1

    def close(self) -> None:
        self.is_closed = True


class Broken:
    """A model that fails in the way it is told to."""

    ports = NO_PORTS

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def run(self, task: Task, cancellation: Cancellation) -> Generator[Event, None, None]:
        yield TextDelta("first")
        raise self.error

    def close(self) -> None:
        pass


async def test_each_task_gets_its_kind_of_answer(engine: Engine) -> None:
    chat = await collect(engine.run("tiny-decoder", CHAT))
    assert end_of(chat).completion_tokens == 12
    (embedded,) = await collect(engine.run("tiny-encoder", EMBED))
    assert isinstance(embedded, Embeddings)
    assert embedded.vectors.shape == [2, 32]
    (inferred,) = await collect(engine.run("tiny-tensor", INFER))
    assert isinstance(inferred, Outputs)
    assert [manifest.id for manifest in engine.models()] == ["tiny-decoder", "tiny-encoder", "tiny-tensor"]


async def test_every_model_says_what_it_is(engine: Engine) -> None:
    described = {model: await collect(engine.run(model, DescribeTask())) for model in engine.loaded()}
    x, y = Port("x", "float32", ["n", 4]), Port("y", "float32", ["n", 3])
    assert described == {
        "tiny-decoder": [Description("1", "chat", [], [])],
        "tiny-encoder": [Description("1", "embed", [], [])],
        "tiny-tensor": [Description("1", "infer", [x], [y])],
    }


async def test_a_description_needs_no_place_among_the_tasks(tensor_package: Package) -> None:
    engine, model = Engine(), Gated()
    await engine.make_room(tensor_package.manifest)
    engine.add(tensor_package.manifest, runner := SoloRunner(model, max_queued=0))
    running = engine.run("tiny-tensor", CHAT)
    await anext(running)
    assert (runner.room, engine.has_room("tiny-tensor")) == (0, False)
    assert len(await collect(engine.run("tiny-tensor", DescribeTask()))) == 1
    model.gate.set()
    await collect(running)
    engine.close()


async def test_concurrent_chats_get_the_answers_they_get_alone(engine: Engine) -> None:
    alone = [await collect(engine.run("tiny-decoder", task)) for task in (CHAT, OTHER)]
    runs = (collect(engine.run("tiny-decoder", task)) for task in (CHAT, OTHER, CHAT))
    together = await asyncio.gather(*runs)
    assert together == [*alone, alone[0]]
    assert text_of(alone[0]) != text_of(alone[1])


async def test_an_unknown_model_is_refused(engine: Engine) -> None:
    with pytest.raises(UnknownModel):
        await collect(engine.run("no-such-model", CHAT))


@pytest.mark.parametrize(
    ("model_id", "task"), [("tiny-decoder", EMBED), ("tiny-encoder", INFER), ("tiny-tensor", CHAT)]
)
async def test_the_wrong_task_is_refused(engine: Engine, model_id: str, task: Task) -> None:
    with pytest.raises(WrongTask):
        await collect(engine.run(model_id, task))


def test_a_model_is_loaded_once(engine: Engine, tensor_package: Package) -> None:
    with pytest.raises(ModelRejected, match="tiny-tensor twice"):
        engine.load(tensor_package.manifest, tensor_package.files)


def test_a_package_without_its_files_is_rejected(tensor_package: Package) -> None:
    with pytest.raises(ModelRejected, match=f"no {tensor_package.manifest.graph}"):
        Engine().load(tensor_package.manifest, {})


async def test_a_full_queue_refuses_and_then_takes_again() -> None:
    model = Gated()
    runner = SoloRunner(model, max_queued=1)
    first, second, third = (runner.run(CHAT) for _ in range(3))
    assert await anext(first) == TextDelta("first")
    waiting = asyncio.ensure_future(collect(second))
    await asyncio.sleep(0)
    with pytest.raises(EngineBusy, match="at most 2 requests"):
        await anext(third)
    model.gate.set()
    assert await collect(first) == [TextDelta("second")]
    assert len(await waiting) == 2
    assert len(await collect(runner.run(CHAT))) == 2
    runner.close()


async def test_closing_the_generator_stops_the_work() -> None:
    model = Gated()
    runner = SoloRunner(model, max_queued=1)
    events = runner.run(CHAT)
    await anext(events)
    await events.aclose()
    async with asyncio.timeout(10):
        assert await anext(runner.run(CHAT)) == TextDelta("first")  # the thread is free for the next
    assert model.closed == 1
    runner.close()
    assert not runner._jobs


async def test_a_task_cancelled_in_the_queue_never_starts() -> None:
    model = Gated()
    runner = SoloRunner(model, max_queued=1)
    running, waiting = runner.run(CHAT), runner.run(CHAT)
    await anext(running)
    queued = asyncio.ensure_future(anext(waiting))
    await asyncio.sleep(0)
    queued.cancel()
    with pytest.raises(asyncio.CancelledError):
        await queued
    model.gate.set()
    assert await collect(running) == [TextDelta("second")]
    runner.close()
    assert model.closed == 1


async def test_who_leaves_the_queue_frees_its_place_at_once() -> None:
    """Not when the run that it waited for is over, which takes as long as an answer may."""
    model = Gated()
    runner = SoloRunner(model, max_queued=2)
    running = runner.run(CHAT)
    await anext(running)
    waiting = [asyncio.ensure_future(anext(runner.run(CHAT))) for _ in range(2)]
    await asyncio.sleep(0)
    assert runner.room == 0
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    assert runner.room == 1
    model.gate.set()
    assert await waiting[1] == TextDelta("first")
    runner.close()


async def test_a_slow_reader_holds_up_nobody() -> None:
    model = Gated()
    model.gate.set()
    runner = SoloRunner(model, max_queued=1)
    slow = runner.run(CHAT)
    await anext(slow)
    assert len(await collect(runner.run(CHAT))) == 2
    assert await collect(slow) == [TextDelta("second")]
    runner.close()


async def test_a_chat_that_was_closed_leaves_a_clean_model(engine: Engine) -> None:
    alone = await collect(engine.run("tiny-decoder", CHAT))
    events = engine.run("tiny-decoder", ChatTask(CHAT.messages, max_tokens=400))
    await anext(events)
    await events.aclose()
    assert await collect(engine.run("tiny-decoder", CHAT)) == alone


async def test_a_cancelled_task_stops_the_work() -> None:
    model = Gated()
    runner = SoloRunner(model, max_queued=1)
    started = asyncio.Event()

    async def read() -> None:
        async for _ in runner.run(CHAT):
            started.set()

    reader = asyncio.create_task(read())
    await started.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    gc.collect()
    await asyncio.sleep(0)  # the loop closes the generator that the reader left behind
    runner.close()
    assert model.closed == 1


async def test_closing_the_engine_ends_who_runs_and_who_waits() -> None:
    model = Gated()
    runner = SoloRunner(model, max_queued=1)
    running, waiting = runner.run(CHAT), runner.run(CHAT)
    await anext(running)
    queued = asyncio.ensure_future(collect(waiting))
    await asyncio.sleep(0)
    await asyncio.to_thread(runner.close)
    with pytest.raises(EngineBusy, match="closing"):
        await queued
    with pytest.raises(EngineBusy, match="closing"):
        await collect(runner.run(CHAT))


def test_a_loop_that_ended_does_not_stop_the_runner() -> None:
    model = Gated()
    runner = SoloRunner(model, max_queued=1)
    abandoned = runner.run(CHAT)

    async def first() -> Event:
        return await anext(abandoned)

    asyncio.run(first())
    model.gate.set()
    assert len(asyncio.run(collect(runner.run(CHAT)))) == 2
    assert not model.is_closed
    runner.close()
    assert model.is_closed


def test_what_is_sent_to_a_loop_that_ended_cancels_the_work() -> None:
    async def made() -> Job:
        return Job(CHAT)

    job = asyncio.run(made())
    job.send(TextDelta("nobody reads this"))
    with pytest.raises(Cancelled):
        job.cancellation.check()


class Panic(BaseException):
    """What a native library raises: no Exception."""


@pytest.mark.parametrize("error", [ValueError("my secret prompt"), MemoryError(), Panic("my secret prompt")])
async def test_any_failure_of_a_model_is_typed_and_without_content(error: BaseException) -> None:
    runner = SoloRunner(Broken(error), max_queued=1)
    events = runner.run(CHAT)
    assert await anext(events) == TextDelta("first")
    with pytest.raises(InferenceFailed) as caught:
        await anext(events)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None
    with pytest.raises(InferenceFailed):  # the thread is alive
        await collect(runner.run(CHAT))
    runner.close()


def test_every_error_has_a_code_of_the_protocol_and_the_engine_knows_no_expiry() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, EngineError)]
    assert {error.code for error in classes} == set(get_args(FailureCode)) - {"expired"}
