"""What was found, held to the limits."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Literal

from benchmarks.serving.judging import Tally
from benchmarks.serving.orders import Report

Sense = Literal[">=", "<=", ">"]


@dataclass(frozen=True)
class Row:
    """One figure and how far it has to reach."""

    name: str
    value: float
    sense: Sense
    reach: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether it reaches that far; a value that is no number does not."""
        if self.sense == ">":
            return self.value > self.reach
        return self.value >= self.reach if self.sense == ">=" else self.value <= self.reach

    def to_dict(self) -> dict[str, object]:
        """As it stands in the JSON line, where null is no number."""
        value = round(self.value, 4) if math.isfinite(self.value) else None
        reach = " ".join(filter(None, (self.sense, f"{self.reach:g}", self.unit)))
        return {"name": self.name, "value": value, "reach": reach, "met": self.met}


def milliseconds(found: float | None) -> float:
    """For a row: what never came took for ever."""
    return math.inf if found is None else found


def ratio(ours: float, theirs: float) -> float:
    """For a row; no number where they have nothing."""
    return ours / theirs if theirs else math.nan


@dataclass(frozen=True)
class Side:
    """One side of one comparison, medians over its rounds: nothing is demanded of it."""

    name: str
    per_s: float
    """Texts, or tokens, a second."""
    cpu_ms: float
    """CPU time for each text or token, of every process that serves it; of raw onnxruntime alone."""
    client_cpu_ms: float = 0.0
    """The same of the load generator."""
    p50_ms: float = 0.0
    """Of one request, as its client sees it."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Why answers were lost."""

    @classmethod
    def of(cls, name: str, reports: Sequence[Report]) -> Side:
        """What the load generator reported, round by round."""
        per_s, cpu_ms, client_cpu_ms, p50_ms = (
            median(getattr(report, column) for report in reports)
            for column in ("per_s", "cpu_ms", "client_cpu_ms", "p50_ms")
        )
        errors = sum((Counter(report.errors) for report in reports), Counter[str]())
        return cls(name, per_s, cpu_ms, client_cpu_ms, p50_ms, dict(errors))

    def line(self) -> str:
        """As it stands in the table."""
        numbers = f"{self.per_s:>11.1f}{self.cpu_ms:>9.2f}{self.client_cpu_ms:>9.2f}{self.p50_ms:>9.1f}"
        errors = ", ".join(f"{count} lost by {error}" for error, count in self.errors.items())
        return f"{self.name:<44}{numbers}  {errors}".rstrip()


@dataclass(frozen=True)
class Figures:
    """Everything of one run."""

    rows: Sequence[Row]
    sides: Sequence[Side]
    settings: Mapping[str, object]
    """What was run: the best raw settings that were found, slots, prompt and answer lengths."""
    tally: Tally
    machine: str
    date: str
    seconds: float
    """How long the run took."""
    skipped: Sequence[str] = field(default=())
    """Peers without an environment."""
    may_skip: bool = False
    """--no-peers."""

    def misses(self) -> list[str]:
        """What falls short, in words; empty when every limit is reached."""
        return list(self._misses())

    def _misses(self) -> Iterator[str]:
        for row in self.rows:
            if not row.met:
                yield f"{row.name}: expected {row.sense} {row.reach:g}{row.unit}, got {row.value:.3f}"
        for what in ("lost", "wrong", "mixed"):
            if count := getattr(self.tally, what):
                yield f"answers: expected none {what}, got {count}"
        if not self.may_skip:
            for peer in self.skipped:
                yield f"{peer}: expected a figure, got none; run make peers, or say --no-peers"

    def to_json(self) -> str:
        """One line."""
        sides = [{key: _rounded(value) for key, value in asdict(side).items()} for side in self.sides]
        return json.dumps(
            {
                "rows": [row.to_dict() for row in self.rows],
                **asdict(self.tally),
                "skipped": list(self.skipped),
                "sides": sides,
                "settings": dict(self.settings),
                "machine": self.machine,
                "date": self.date,
                "seconds": round(self.seconds),
            }
        )

    def table(self) -> str:
        """For people: the sides, each figure beside its limit, the misses, the machine and the day."""
        head = f"{'':<44}{'per second':>11}{'CPU ms':>9}{'client':>9}{'p50 ms':>9}"
        sides = [side.line() for side in self.sides]
        rows = [f"{row.name:<64}{row.value:>9.3f}  {row.sense} {row.reach:g} {row.unit}".rstrip() for row in self.rows]
        tally = (
            f"answers {self.tally.answers}, lost {self.tally.lost}, wrong {self.tally.wrong}, mixed {self.tally.mixed}"
        )
        skipped = [f"skipped {', '.join(self.skipped)}"] if self.skipped else []
        misses = [f"MISS {miss}" for miss in self.misses()]
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        foot = [settings, f"{self.machine}, {self.date}, {self.seconds:.0f} s"]
        return "\n".join([head, *sides, "", *rows, "", tally, *skipped, *misses, *foot])


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
