"""A division that the processor traps, inside a whole engine; and that no process outlives the enclave's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from enclave.engine.arrays import to_tensor
from enclave.engine.capacity import Capacity
from enclave.engine.engine import Engine
from enclave.engine.errors import InferenceFailed
from strongroom.protocol.payloads import ChatTask, InferTask, Message, Outputs
from tests.enclave.engine.graphs import dividing
from tests.enclave.engine.packages import Package, collect, end_of

CHAT = ChatTask([Message("user", "hello")], max_tokens=200)


def division(a: int, b: int) -> InferTask:
    return InferTask({name: to_tensor(np.array([value])) for name, value in (("a", a), ("b", b))})


@pytest.fixture
def engine(decoder_package: Package, tensor_package: Package) -> Iterator[Engine]:
    engine = Engine(Capacity(threads=1))
    dividing_package = tensor_package.with_file(tensor_package.manifest.graph, dividing("Div", "int64"))
    engine.load(structs.replace(dividing_package.manifest, id="div"), dividing_package.files)
    engine.load(decoder_package.manifest, decoder_package.files)
    yield engine
    engine.close()


async def test_it_fails_alone_while_a_stream_goes_on(engine: Engine) -> None:
    alone = await collect(engine.run("tiny-decoder", CHAT))
    stream = engine.run("tiny-decoder", CHAT)
    begun = [await anext(stream)]
    with pytest.raises(InferenceFailed):
        await collect(engine.run("div", division(-(1 << 63), -1)))
    [quotient] = await collect(engine.run("div", division(7, -1)))
    assert isinstance(quotient, Outputs)
    assert quotient.tensors["c"].data == (-7).to_bytes(8, "little", signed=True)
    streamed = begun + [event async for event in stream]
    assert end_of(streamed) == end_of(alone)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_enclaves_though_it_computes(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tests.enclave.engine.tensors.endless"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[4]) as enclave:
        assert enclave.stdout is not None
        assert enclave.stdout.readline() == b"running\n"
        [worker] = children(enclave.pid)
        assert computes(worker)
        os.kill(enclave.pid, number)
    until_s = time.monotonic() + 5
    while Path(f"/proc/{worker}/stat").exists() and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not Path(f"/proc/{worker}/stat").exists()


def computes(pid: int) -> bool:
    def ticks() -> int:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])

    begun, until_s = ticks(), time.monotonic() + 10
    while ticks() < begun + 5 and time.monotonic() < until_s:
        time.sleep(0.01)
    return ticks() >= begun + 5
