"""Turns: how every path is timed, ours, the lower bound and the peers alike. The standard library only.

A turn is a handful of documents, verified one after the other, and the first of them once more before, untimed: it
brings back into the processor's caches what the path before has driven out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO, NamedTuple

Verify = Callable[[bytes], object]
Clock = Callable[[int], AbstractContextManager[object]]


class Sample(NamedTuple):
    """A genuine document and its signed timestamp."""

    document: bytes
    timestamp_ms: int


class Refused(Exception):
    """The path does not take this document to the end; its time is no verification's time."""


def take(verify: Verify, samples: Sequence[Sample], held_at: Clock = nullcontext) -> list[int | None]:
    """One turn: for each sample the CPU time of this thread in ns, or None where it is refused.

    ``held_at`` holds the clock at a sample's timestamp for as long as its verification lasts.
    """
    first, *others = samples
    return [_cpu_ns(verify, sample, held_at) for sample in (first, first, *others)][1:]


def _cpu_ns(verify: Verify, sample: Sample, held_at: Clock) -> int | None:
    with held_at(sample.timestamp_ms):
        start_ns = time.thread_time_ns()
        try:
            verify(sample.document)
        except Refused:
            return None
        return time.thread_time_ns() - start_ns


def serve(verify: Verify, held_at: Clock = nullcontext) -> None:
    """Answer each line of ``encode`` on the standard input with a line: what ``take`` returns."""
    for line in sys.stdin:
        samples = [Sample(bytes.fromhex(document), timestamp_ms) for document, timestamp_ms in json.loads(line)]
        print(json.dumps(take(verify, samples, held_at)), flush=True)


def encode(samples: Sequence[Sample], line: IO[str]) -> None:
    """Write one turn as a line of JSON: pairs of a document in hex and its timestamp in ms."""
    print(json.dumps([(document.hex(), timestamp_ms) for document, timestamp_ms in samples]), file=line, flush=True)
