"""What was measured."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.verification.figures import machine


@dataclass(frozen=True)
class Figures:
    """MiB a second by number of streams, medians."""

    size_mib: int
    runs: int
    mib_per_s: dict[int, float]

    def ratio(self, streams: int) -> float:
        """How many times as fast as one stream."""
        return self.mib_per_s[streams] / self.mib_per_s[1]

    def to_json(self) -> str:
        """One line."""
        rates = {str(streams): round(rate) for streams, rate in self.mib_per_s.items()}
        ratios = {str(streams): round(self.ratio(streams), 2) for streams in self.mib_per_s}
        return json.dumps({"size_mib": self.size_mib, "runs": self.runs, "mib_per_s": rates, "ratio": ratios})

    def table(self) -> str:
        """For people, with the machine and the day."""
        rows = [f"streams {n:>2} {rate:>8.0f} MiB/s {self.ratio(n):>6.2f}" for n, rate in self.mib_per_s.items()]
        return "\n".join([*rows, machine(), f"{datetime.now(UTC):%Y-%m-%d}"])
