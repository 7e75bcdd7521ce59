"""Two ways to one key, which take turns, so that noise hits them alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Call = Callable[[], None]

_WARM_UP = 5  # calls each: connections are open, and code has run


@dataclass(frozen=True)
class Latency:
    """Wall-clock times of key releases by the enclave, and of the same call by plain boto3."""

    runs: int
    release_p50_ms: float
    release_p99_ms: float
    plain_p50_ms: float
    plain_p99_ms: float

    @property
    def added_p50_ms(self) -> float:
        """What the enclave's way takes longer."""
        return self.release_p50_ms - self.plain_p50_ms


def race(release: Call, plain: Call, runs: int) -> Latency:
    """``runs`` calls each; every other turn begins with the other one."""
    for call in (release, plain) * _WARM_UP:
        call()
    release_ms: list[float] = []
    plain_ms: list[float] = []
    turns = [(release, release_ms), (plain, plain_ms)]
    for _ in range(runs):
        for call, times in turns:
            times.append(timed_ms(call))
        turns.reverse()
    return Latency(
        runs,
        percentile(release_ms, 50),
        percentile(release_ms, 99),
        percentile(plain_ms, 50),
        percentile(plain_ms, 99),
    )


def timed_ms(call: Call) -> float:
    """How long one call takes by the wall clock."""
    start_ns = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start_ns) / 1_000_000


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of ``values`` that at least ``percent`` in a hundred of them do not exceed; there must be one."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
