"""Helper processes that take orders: a line of JSON in, a line of JSON out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

ROOT = Path(__file__).parents[2]

Reply = TypeVar("Reply")
Order = TypeVar("Order")


class WorkerLost(Exception):
    """A helper ended, or a server did not start: there is nothing to measure."""


class Worker:
    """A helper that waits for orders."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def ask(self, order: msgspec.Struct, reply: type[Reply]) -> Reply:
        """Give one order and wait for its reply. Raises WorkerLost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise WorkerLost(f"helper {self.pid}: expected a reply, got its end ({self._process.wait()})")
        return msgspec.json.decode(line, type=reply)


def obey(orders: type[Order], answer: Callable[[Order], Any]) -> None:
    """Be a helper until standard input ends."""
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(answer(msgspec.json.decode(line, type=orders))) + b"\n")
        sys.stdout.buffer.flush()


@contextmanager
def worker(module: str, *arguments: str) -> Iterator[Worker]:
    """`python -m MODULE ARGUMENTS` as a helper; it ends with the block."""
    with process([sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        yield Worker(child)


@contextmanager
def process(
    command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process group from this checkout's folder, ended with the block."""
    given = {**os.environ, "PYTHONPATH": str(ROOT), "ORT_DISABLE_TELEMETRY": "1", **(environment or {})}
    child = subprocess.Popen(command, cwd=ROOT, env=given, start_new_session=True, **options)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            child.communicate()
