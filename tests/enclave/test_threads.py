"""Threads that are up from the start, whatever memory is left later."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from enclave import server
from enclave.addresses import Addresses
from enclave.engine.engine import Engine
from enclave.threads import running_pool
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder, build_tiny_tensor
from strongroom.protocol.payloads import ChatTask, EmbedTask, InferTask, Message, Task
from strongroom.protocol.tensors import Tensor
from strongroom.transport.addresses import UnixAddress
from tests.enclave.deployment import new_nsm
from tests.enclave.engine.packages import Package, collect

TASKS: dict[str, Task] = {
    "tiny-decoder": ChatTask([Message("user", "hello")], max_tokens=3),
    "tiny-encoder": EmbedTask(["one", "two"]),
    "tiny-tensor": InferTask({"x": Tensor("float32", [1, 4], bytes(16))}),
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine()
    for build in (build_tiny_decoder, build_tiny_encoder, build_tiny_tensor):
        package = Package.from_directory(build(tmp_path / build.__name__))
        engine.load(package.manifest, package.files)
    yield engine
    engine.close()


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads still come up."""
    left, start = [0], threading.Thread.start

    def start_if_any(thread: threading.Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_if_any)
    return left


async def test_loaded_models_answer_where_no_thread_comes_up(engine: Engine, left: list[int]) -> None:
    for model, task in TASKS.items():
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*(collect(engine.run(model, task)) for _ in range(3)))
        assert answers[0]
        assert answers[1:] == answers[:1] * 2


def test_what_blocks_the_enclave_has_threads(left: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def measured(enclave: server.Enclave) -> int:
        left[0] = 0
        numbers = await asyncio.gather(*(asyncio.to_thread(int) for _ in range(9)))
        left[0] = 1  # asyncio ends its threads from another
        return sum(numbers)

    monkeypatch.setattr(server.Enclave, "run", measured)
    left[0] = 99
    assert server.run(new_nsm(), Addresses(*[UnixAddress(tmp_path / "socket")] * 4)) == 0


@pytest.mark.parametrize("threads", [1, 2, 6])
def test_all_are_up_and_none_is_started_later(threads: int, left: list[int]) -> None:
    left[0] = threads
    with running_pool(threads, "many") as pool:
        assert not left[0]
        meeting = threading.Barrier(threads)
        for met in [pool.submit(meeting.wait, 10) for _ in range(threads)]:
            met.result(10)


@pytest.mark.parametrize("up", [0, 2])
def test_where_not_all_come_up_none_is_left(up: int, left: list[int]) -> None:
    before, left[0] = set(threading.enumerate()), up
    with pytest.raises(MemoryError):
        running_pool(3, "few")
    assert set(threading.enumerate()) == before
