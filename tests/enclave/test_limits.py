"""What one request may take of the enclave, and what it leaves to the others."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from enclave.engine.tensors.model import TensorModel
from enclave.serving.api import APIApp
from enclave.serving.pace import within
from enclave.serving.refused import Refused
from strongroom.models.assemble import GRAPH, Identity
from strongroom.models.package import write_package
from strongroom.models.tiny import build_tiny_encoder
from strongroom.protocol.configuration import Limits
from strongroom.protocol.constants import MAX_CHUNK_BYTES
from strongroom.protocol.payloads import (
    ChatTask,
    CompleteTask,
    Embeddings,
    EmbedTask,
    Event,
    Failure,
    InferTask,
    Message,
    Outputs,
    Task,
    TextDelta,
)
from strongroom.protocol.problems import Problem
from strongroom.protocol.tensors import Tensor
from tests.enclave.caller import INFER, Caller, ready
from tests.enclave.deployment import configuration, request_key
from tests.enclave.engine.graphs import expanding, spinning
from tests.enclave.test_api import Exchange, app_of

REQUESTS = request_key()
ENDLESS = InferTask({"times": Tensor("int64", [], np.int64(1 << 62).tobytes())})
BRIEF = InferTask({"times": Tensor("int64", [], np.int64(3).tobytes())})


def expand(*shape: int) -> InferTask:
    return InferTask({"shape": Tensor("int64", [2], np.array(shape, dtype="<i8").tobytes())})


@pytest.fixture(autouse=True)
def _unprobed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child that tries a graph first takes most of the time, and has tests of its own."""
    monkeypatch.setattr("enclave.engine.loading.probe", lambda *_: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    build_tiny_encoder(folder / "tiny-encoder")
    for name, graph in (("spinning", spinning()), ("expanding", expanding())):
        write_package(folder / name, Identity(name, "none", "made").manifest("infer"), {GRAPH: graph})
    return folder


@pytest.fixture
async def caller(folder: Path) -> AsyncIterator[Caller]:
    caller = await ready(folder / "spinning", folder / "expanding")
    yield caller
    caller.enclave.engine.close()


async def failure(caller: Caller, task: Task, model: str) -> Failure:
    [event] = (await caller.ask(caller.seal(task, model=model))).events
    assert isinstance(event, Failure)
    return event


async def test_what_takes_too_long_fails_and_frees_its_place(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller.service._answers, "_answer_s", 0.2)  # a second is the least that can be measured
    async with asyncio.timeout(5):
        found = await failure(caller, ENDLESS, "spinning")
    assert (found.code, found.detail) == ("too-long", "No whole answer within 0.2 s; ask for less, or later.")
    async with asyncio.timeout(5):
        [event] = (await caller.ask(caller.seal(BRIEF, model="spinning"))).events
    assert isinstance(event, Outputs)


async def test_time_goes_on_while_a_slow_reader_finds_the_next_event_waiting() -> None:
    async def ready_events() -> AsyncGenerator[Event, None]:
        while True:
            yield TextDelta("x")

    events = within(0.01, ready_events())
    assert await anext(events) == TextDelta("x")
    await asyncio.sleep(0.02)
    with pytest.raises(TimeoutError):
        await anext(events)


async def test_what_ends_in_time_is_not_cut_behind_its_end() -> None:
    """Or a failure would follow the last chunk."""

    async def lingering() -> AsyncGenerator[Event, None]:
        yield Outputs({})
        await asyncio.sleep(0.02)

    assert [event async for event in within(0.01, lingering())] == [Outputs({})]


async def test_a_caller_who_leaves_ends_the_run_of_a_graph(caller: Caller) -> None:
    pieces = caller.service.answer(await caller.service.open(caller.seal(ENDLESS, model="spinning")))
    await anext(pieces)
    rest = asyncio.ensure_future(anext(pieces, None))
    await asyncio.sleep(0.1)
    rest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rest
    async with asyncio.timeout(5):
        [event] = (await caller.ask(caller.seal(BRIEF, model="spinning"))).events
    assert isinstance(event, Outputs)


async def test_a_text_that_is_cut_by_time_is_no_whole_answer(
    decoder_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = await ready(decoder_dir)

    async def late(_: float, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        yield await anext(events)
        raise TimeoutError

    monkeypatch.setattr("enclave.serving.answers.within", late)
    task = ChatTask([Message("user", "hello")], max_tokens=400)
    for stream in (False, True):
        *_, last = (await caller.ask(caller.seal(task, stream=stream))).events
        assert isinstance(last, Failure)
    caller.enclave.engine.close()


@pytest.mark.parametrize(
    "task",
    [ChatTask([Message("user", "x")], max_tokens=9), CompleteTask(prompt="x", max_tokens=9)],
    ids=["chat", "complete"],
)
async def test_more_tokens_than_measured_are_refused(decoder_dir: Path, task: Task) -> None:
    caller = await ready(decoder_dir, limits=Limits(max_new_tokens=8))
    assert (await failure(caller, task, "tiny-decoder")).code == "too-long"
    caller.enclave.engine.close()


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ((MAX_CHUNK_BYTES // 4, 2), "too-long"),
        ((1 << 40, 1 << 10), "internal"),
        ((1 << 62, 1 << 62), "invalid-tensor"),
        ((-1, 1), "invalid-tensor"),
    ],
    ids=str,
)
async def test_a_graph_that_explodes_by_a_callers_value_is_that_callers_error(
    caller: Caller, shape: tuple[int, int], code: str
) -> None:
    assert (await failure(caller, expand(*shape), "expanding")).code == code
    [event] = (await caller.ask(caller.seal(expand(2, 3), model="expanding"))).events
    assert isinstance(event, Outputs)
    assert event.tensors["y"].shape == [2, 3]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Tensor models run from when it is set."""
    gate, run = threading.Event(), TensorModel.run
    monkeypatch.setattr(TensorModel, "run", lambda *given: (gate.wait(10), run(*given))[1])
    yield gate
    gate.set()


async def test_a_burst_uses_up_no_single_use_for_a_full_queue(tensor_dir: Path, gate: threading.Event) -> None:
    deployed = configuration(requests=[REQUESTS], limits=Limits(max_in_flight=64))
    caller = await ready(tensor_dir, deployment=deployed)
    app, wrapped = app_of(caller), caller.kms.wrap(REQUESTS)
    rest = caller.rest(single_use=True)
    messages = [caller.envelope(REQUESTS, rest=rest, wrapped=wrapped) for _ in range(40)]
    first = [await sent(app, message) for message in messages]
    for answered in islice(asyncio.as_completed([exchange.task for exchange in first]), 40 - 17):
        await answered
    gate.set()
    for exchange in first:
        await exchange.task
    refused = [message for message, exchange in zip(messages, first, strict=True) if exchange.status == 503]
    assert len(refused) == 40 - 17
    for message in refused:
        again = await sent(app, message)
        await again.task
        assert again.status == 200
    for message in messages:
        replayed = await sent(app, message)
        await replayed.task
        assert replayed.status == 409
    assert caller.enclave.engine.observer.of("tiny-tensor").counts()["answers"] == (40, 0, 0)
    assert caller.enclave.engine._places.kept("tiny-tensor") == 0


@pytest.mark.parametrize("part", ["ResponseSealer", "Progress", "StreamPace"])
async def test_an_answer_that_cannot_begin_gives_its_place_back(
    tensor_dir: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    caller = await ready(tensor_dir)

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(f"enclave.serving.answers.{part}", fail)
        with pytest.raises(MemoryError):
            await caller.ask(caller.seal(INFER))
    assert caller.enclave.engine._places.kept("tiny-tensor") == 0


async def sent(app: APIApp, message: bytes) -> Exchange:
    exchange = Exchange(app)
    await exchange.put([message])
    return exchange


async def test_256_texts_of_one_do_not_hold_up_one_text_of_another(folder: Path) -> None:
    caller = await ready(folder / "tiny-encoder")
    ended = list[int]()

    async def ask(texts: int) -> None:
        [event] = (await caller.ask(caller.seal(EmbedTask(["some text " * 11] * texts), model="tiny-encoder"))).events
        assert isinstance(event, Embeddings)
        ended.append(texts)

    await asyncio.gather(ask(256), ask(1))
    assert ended == [1, 256]
    caller.enclave.engine.close()


async def test_a_refused_request_keeps_no_place(tensor_dir: Path) -> None:
    caller = await ready(tensor_dir)
    message = caller.seal(INFER, model="tiny-tensor")
    await caller.ask(message)
    for bad, problem in ((message, Problem.REPLAYED), (message[:-1], Problem.REJECTED)):
        with pytest.raises(Refused, match=problem.code):
            await caller.service.open(bad)
    assert caller.enclave.engine._places.kept("tiny-tensor") == 0
