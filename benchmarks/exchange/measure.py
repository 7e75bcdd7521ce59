"""All paths take turns, so that noise hits them alike."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median, quantiles
from typing import Final

from benchmarks.exchange import paths, stream
from benchmarks.exchange.figures import Exchange, Figures, Receipt, Stream
from benchmarks.exchange.receipts import issuing
from benchmarks.exchange.samples import sample

_CONTENTS: Final = 16
_STREAM_CHUNKS: Final = 1024


@dataclass(frozen=True)
class Plan:
    """How often each path takes its turn."""

    exchanges: Mapping[int, int]
    """Bytes of padded plaintext → turns, of 16 exchanges each."""
    streams: int
    receipts: int


FULL: Final = Plan({1 << 10: 200, 64 << 10: 150, 1 << 20: 60}, streams=40, receipts=20_000)
SHORT: Final = Plan({1 << 10: 2, 64 << 10: 2, 1 << 20: 2}, streams=2, receipts=100)


def measure(plan: Plan) -> Figures:
    """Run everything in this process."""
    _settle_allocator()
    exchanges = {size: _exchange(size, turns) for size, turns in plan.exchanges.items()}
    return Figures(exchanges, _stream(plan.streams), _receipt(plan.receipts))


def _settle_allocator() -> None:
    """Have one large block and give it back, as a process that serves has had.

    Before that glibc returns every megabyte to the kernel and takes it again, which costs more than to encrypt it.
    """
    bytearray(16 << 20)


def _exchange(size: int, turns: int) -> Exchange:
    opener, samples = paths.fresh_opener(), [sample(size) for _ in range(_CONTENTS)]
    made = {path.__name__: path(opener) for path in (paths.bare, paths.by_hand, paths.sealing, paths.whole)}
    found = _race({name: [partial(path, each) for each in samples] for name, path in made.items()}, turns)
    return Exchange(**{f"{name}_us": median(times) for name, times in found.items()})


def _stream(turns: int) -> Stream:
    bodies = [secrets.token_bytes(stream.BODY_BYTES) for _ in range(_STREAM_CHUNKS)]
    taken = {path.__name__: [partial(_exhaust, path, bodies)] for path in (stream.bare, stream.by_hand, stream.sealing)}
    found = _race(taken, turns)
    return Stream(**{f"{name}_us": median(times) / len(bodies) for name, times in found.items()})


def _exhaust(path: Callable[[Sequence[bytes]], Iterable[object]], bodies: Sequence[bytes]) -> None:
    for _ in path(bodies):
        pass


def _receipt(count: int) -> Receipt:
    times = _race({"receipt": [issuing()]}, count)["receipt"]
    return Receipt(median(times), quantiles(times, n=100)[98])


def _race(paths: Mapping[str, Sequence[Callable[[], object]]], turns: int) -> dict[str, list[float]]:
    """CPU time of each call in µs, by path; a turn makes all of a path's calls."""
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(turns):
        for name, calls in paths.items():
            times[name] += [_cpu_us(call) for call in calls]
    return times


def _cpu_us(call: Callable[[], object]) -> float:
    start_ns = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - start_ns) / 1000
