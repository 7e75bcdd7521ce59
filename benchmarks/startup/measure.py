"""Boots with and without compiled modules taking turns, then the rates."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.delivery.measure import measure as measure_delivery
from benchmarks.startup.boots import boot
from benchmarks.startup.figures import Figures, Rates
from benchmarks.startup.rates import aes_gcm_mib_per_s, sha256_mib_per_s, socket_mib_per_s
from benchmarks.startup.surroundings import running
from benchmarks.verification.figures import machine
from parent.settings import DEFAULT_WEIGHT_STREAMS


@dataclass(frozen=True)
class Plan:
    """How much is measured: boots of each kind, MiB of weights, runs of each rate."""

    boots: int
    size_mib: int
    runs: int


FULL = Plan(boots=9, size_mib=256, runs=9)
SHORT = Plan(boots=1, size_mib=4, runs=1)


def measure(plan: Plan) -> Figures:
    """Everything, in one run. Raises BootFailed and PartFailed."""
    started = time.monotonic()
    boots, uncompiled = _boots(plan.boots)
    return Figures(
        boots,
        uncompiled,
        _rates(plan),
        plan.size_mib,
        machine(),
        f"{datetime.now(UTC):%Y-%m-%d}",
        time.monotonic() - started,
    )


def _boots(number: int) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        compiled = {"PATH": os.environ["PATH"], "ORT_DISABLE_TELEMETRY": "1"}
        uncompiled = {**compiled, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(folder / "none")}
        with running(folder) as surroundings:
            numbers = count(1)
            boot(surroundings, next(numbers), compiled)  # reads the files for the first time, and compiles
            turns = [
                [boot(surroundings, next(numbers), environment) for environment in (compiled, uncompiled)]
                for _ in range(number)
            ]
    return [first for first, _ in turns], [second for _, second in turns]


def _rates(plan: Plan) -> Rates:
    return Rates(
        weights=measure_delivery(plan.size_mib, plan.runs).mib_per_s[DEFAULT_WEIGHT_STREAMS],
        aes_gcm=aes_gcm_mib_per_s(plan.size_mib, plan.runs),
        sha256=sha256_mib_per_s(plan.size_mib, plan.runs),
        unix_socket=socket_mib_per_s(plan.size_mib, plan.runs),
    )
