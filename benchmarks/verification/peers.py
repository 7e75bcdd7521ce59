"""Peers, each in an environment and a process of its own (``make peers``), asked for one turn at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

from benchmarks.peers.turns import Sample, encode

ROOT = Path(__file__).parents[2]
PEERS = {
    "evervault-attestation-bindings": "benchmarks.peers.evervault",
    "pycose": "benchmarks.peers.cose",
    "epsilon-attestation-verifier": "benchmarks.peers.epsilon",
}


class Lost(Exception):
    """The peer's process ended before the race did."""


class Peer:
    """A peer that waits for turns."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def take(self, samples: Sequence[Sample]) -> list[int | None]:
        """One turn there, as ``turns.take`` counts it. Raises Lost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            encode(samples, self._process.stdin)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise Lost(f"its process ended with {self._process.wait()}")
        return cast(list[int | None], json.loads(answer))


@contextmanager
def running(environments: Path) -> Iterator[dict[str, Peer]]:
    """Those of ``PEERS`` that have an environment ``environments/<peer>``, started; others are named on stderr."""
    with ExitStack() as stack:
        peers = {}
        for name, module in PEERS.items():
            python = environments / name / "bin" / "python"
            if python.is_file():
                peers[name] = Peer(stack.enter_context(_process(python, module)))
            else:
                print(f"{name}: expected {python}: run make peers", file=sys.stderr)
        yield peers


@contextmanager
def _process(python: Path, module: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [python.absolute(), "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
