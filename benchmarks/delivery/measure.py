"""Streams taking turns."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.delivery.allocator import image_allocator
from benchmarks.delivery.figures import Figures
from benchmarks.delivery.sealed import MODEL, make
from parent.control import Control
from parent.delivery import SealedModel
from parent.link import EnclaveLink
from parent.settings import DEFAULT_WEIGHT_STREAMS
from strongroom.transport.addresses import UnixAddress

STREAMS = (1, DEFAULT_WEIGHT_STREAMS)
_START_S = 30.0
_STEP_S = 120.0
_ROOT = Path(__file__).parents[2]


def measure(size_mib: int, runs: int) -> Figures:
    """Send a model of `size_mib` MiB `runs` times over each number of streams, in turns."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        data_key = make(folder, size_mib)
        with _receiver(folder, data_key) as address:
            seconds = asyncio.run(_race(address, SealedModel.open(folder, MODEL), runs))
    return Figures(size_mib, runs, {streams: size_mib / median(took) for streams, took in seconds.items()})


async def _race(address: UnixAddress, model: SealedModel, runs: int) -> dict[int, list[float]]:
    seconds: dict[int, list[float]] = {streams: [] for streams in STREAMS}
    async with EnclaveLink(address, timeout_s=_STEP_S, max_exchanges=max(STREAMS)) as link:
        control = Control(link, step_timeout_s=_STEP_S)
        await _send(control, model, 1)  # warms both sides
        for _ in range(runs):
            for streams, took in seconds.items():
                started = time.perf_counter()
                await _send(control, model, streams)
                took.append(time.perf_counter() - started)
    return seconds


async def _send(control: Control, model: SealedModel, streams: int) -> None:
    async with asyncio.TaskGroup() as group:
        for segment in model.segments(streams):
            group.create_task(control.load(model, segment))


@contextmanager
def _receiver(folder: Path, data_key: bytes) -> Iterator[UnixAddress]:
    socket = folder / "control.sock"
    command = [sys.executable, "-m", "benchmarks.delivery.receiver", str(socket), str(folder)]
    environment = os.environ | image_allocator()
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=_ROOT, env=environment, text=True) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(data_key.hex() + "\n")
            process.stdin.flush()
            _wait_for(socket)
            yield UnixAddress(socket)
        finally:
            process.terminate()


def _wait_for(socket: Path) -> None:
    deadline = time.monotonic() + _START_S
    while not socket.is_socket():
        if time.monotonic() > deadline:
            raise TimeoutError("the receiver did not start")
        time.sleep(0.05)
