"""Many cases in a row: verdicts are counted, findings kept with what is needed to see them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from attestation.chain import ChainCache
from tests.attestation.mutation import oracle
from tests.attestation.mutation.questions import Case

SEED = 1


@dataclass
class Tally:
    """How often each verdict was given, and the findings, one line each."""

    verdicts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.verdicts.update(other.verdicts)
        self.findings += other.findings


def run(make: Callable[[int, int], Case], seed: int, numbers: Iterable[int]) -> Tally:
    """Judge the cases ``make(seed, number)``, with one cache of chains for all of them as a busy verifier has."""
    tally, cache = Tally(), ChainCache()
    for number in numbers:
        case = make(seed, number)
        try:
            tally.verdicts[oracle.verdict(case, cache)] += 1
        except oracle.Finding as finding:
            tally.findings.append(f"seed {seed}, case {number} ({', '.join(case.story)}): {finding}")
    return tally
