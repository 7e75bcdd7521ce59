"""What was found, held to the limits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.serving.figures import Row
from benchmarks.startup.boots import STAGES

MOST_S = 2.0
LEAST_PART = 0.5


@dataclass(frozen=True)
class Rates:
    """MiB a second, medians."""

    weights: float
    aes_gcm: float
    sha256: float
    unix_socket: float


@dataclass(frozen=True)
class Figures:
    """Everything of one run."""

    boots: Sequence[Mapping[str, float]]
    """Seconds of each stage, boot by boot."""
    uncompiled: Sequence[Mapping[str, float]]
    """The same without compiled modules in the enclave process."""
    rates: Rates
    size_mib: int
    machine: str
    date: str
    seconds: float
    """How long the run took."""

    @property
    def rows(self) -> list[Row]:
        """Each figure and how far it has to reach."""
        part = self.rates.weights / self.rates.aes_gcm
        return [
            Row("cold start of the enclave process, tiny model", median(map(_total, self.boots)), "<=", MOST_S, "s"),
            Row("sealed weights to one core's raw AES-256-GCM", part, ">=", LEAST_PART),
        ]

    def misses(self) -> list[str]:
        """What falls short, in words; empty when every limit is reached."""
        return [
            f"{row.name}: expected {row.sense} {row.reach:g}{row.unit}, got {row.value:.3f}"
            for row in self.rows
            if not row.met
        ]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(
            {
                "rows": [row.to_dict() for row in self.rows],
                "stages_ms": _stages_ms(self.boots),
                "uncompiled_stages_ms": _stages_ms(self.uncompiled),
                "boots": len(self.boots),
                "mib_per_s": {name: round(rate) for name, rate in vars(self.rates).items()},
                "size_mib": self.size_mib,
                "machine": self.machine,
                "date": self.date,
                "seconds": round(self.seconds),
            }
        )

    def table(self) -> str:
        """For people: stages, rates, each figure beside its limit, the misses, the machine and the day."""
        compiled, uncompiled = _stages_ms(self.boots), _stages_ms(self.uncompiled)
        stages = [f"{stage:<20}{took:>9.0f}{uncompiled[stage]:>13.0f}" for stage, took in compiled.items()]
        rates = [f"{name.replace('_', ' '):<20}{rate:>9.0f} MiB/s" for name, rate in vars(self.rates).items()]
        rows = [f"{row.name:<48}{row.value:>8.3f}  {row.sense} {row.reach:g} {row.unit}".rstrip() for row in self.rows]
        misses = [f"MISS {miss}" for miss in self.misses()]
        head = f"{'':<20}{'ms':>9}{'uncompiled':>13}"
        foot = f"{len(self.boots)} boots, {self.size_mib} MiB, {self.machine}, {self.date}, {self.seconds:.0f} s"
        return "\n".join([head, *stages, "", *rates, "", *rows, *misses, foot])


def _total(boot: Mapping[str, float]) -> float:
    return sum(boot.values())


def _stages_ms(boots: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each stage, and of the whole, which is not the sum of medians."""
    stages = {stage: median(boot[stage] for boot in boots) for stage in STAGES}
    return {name: round(1000 * value, 1) for name, value in {**stages, "in all": median(map(_total, boots))}.items()}
