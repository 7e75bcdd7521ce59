"""What a race found, held to the limits."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

MAX_COLD_RATIO = 1.15
MAX_WARM_RATIO = 0.25


@dataclass(frozen=True)
class Figures:
    """Medians of CPU time; a ratio is to the lower bound of the same run."""

    cold_ratio: float
    warm_ratio: float
    lower_bound_us: float
    peers: dict[str, float]
    skipped: tuple[str, ...]

    def misses(self) -> list[str]:
        """What falls short, in words; empty when every limit is reached."""
        return [
            *_above("cold", self.cold_ratio, MAX_COLD_RATIO),
            *_above("warm", self.warm_ratio, MAX_WARM_RATIO),
            *(f"{name}: expected above {self.cold_ratio:.3f}, got {r:.3f}" for name, r in self._faster().items()),
            *(f"{name}: expected a figure, got none" for name in self.skipped),
        ]

    def _faster(self) -> dict[str, float]:
        return {name: ratio for name, ratio in self.peers.items() if ratio <= self.cold_ratio}

    def to_json(self) -> str:
        """One line; times in µs to a tenth, ratios to a thousandth."""
        rounded = {
            "cold_ratio": round(self.cold_ratio, 3),
            "warm_ratio": round(self.warm_ratio, 3),
            "lower_bound_us": round(self.lower_bound_us, 1),
            "peers": {name: round(ratio, 3) for name, ratio in self.peers.items()},
        }
        return json.dumps(asdict(self) | rounded)

    def table(self) -> str:
        """For people: each figure beside its limit, then the misses, the machine and the day."""
        rows = [
            ("lower bound", 1.0, ""),
            ("cold", self.cold_ratio, f"<= {MAX_COLD_RATIO}"),
            ("warm", self.warm_ratio, f"<= {MAX_WARM_RATIO}"),
            *((name, ratio, "> cold") for name, ratio in self.peers.items()),
        ]
        lines = [
            f"{name:<32}{ratio * self.lower_bound_us:>8.0f} µs{ratio:>8.3f}  {limit}" for name, ratio, limit in rows
        ]
        return "\n".join(
            [*lines, *(f"MISS {miss}" for miss in self.misses()), machine(), f"{datetime.now(UTC):%Y-%m-%d}"]
        )


def machine() -> str:
    """Processor, number of cores, Python."""
    return f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _above(name: str, ratio: float, limit: float) -> list[str]:
    return [f"{name}: expected at most {limit}, got {ratio:.3f}"] if ratio > limit else []
