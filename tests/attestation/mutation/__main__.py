"""The long run before a release: ``python -m tests.attestation.mutation --cases 1000000``.

Prints one JSON line; exit 1 if there was a finding. ``--seed S --case N`` judges one case again and tells its story.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from rich.console import Console
from rich.progress import track

from attestation.chain import ChainCache
from tests.attestation.mutation import campaign, cases, oracle
from tests.attestation.mutation.campaign import Tally

_SHARD = 500  # cases that a worker takes at a time


def main() -> int:
    """Parse the arguments, run, print. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.attestation.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=campaign.SEED)
    parser.add_argument("--cases", type=int, default=1_000_000, help="how many")
    parser.add_argument("--case", type=int, help="only this one")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if arguments.case is not None:
        return _replay(arguments.seed, arguments.case)
    tally = Tally()
    for shard in _shards(arguments.seed, arguments.cases, arguments.workers):
        tally.add(shard)
    print(json.dumps({"seed": arguments.seed, "verdicts": dict(tally.verdicts), "findings": tally.findings}))
    return 1 if tally.findings else 0


def _shards(seed: int, count: int, workers: int) -> Iterator[Tally]:
    shards = [range(start, min(start + _SHARD, count)) for start in range(0, count, _SHARD)]
    with ProcessPoolExecutor(workers) as pool:
        tallies = pool.map(partial(campaign.run, cases.forged, seed), shards)
        yield from track(tallies, "Mutating", total=len(shards), console=Console(stderr=True), transient=True)


def _replay(seed: int, number: int) -> int:
    case = cases.forged(seed, number)
    print(f"mutations: {', '.join(case.story)}\n{case.question}\ndocument: {case.data.hex()}")
    try:
        print(f"verdict: {oracle.verdict(case, ChainCache())}")
    except oracle.Finding as finding:
        print(f"finding: {finding}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
