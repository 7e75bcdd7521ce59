"""The race: all paths take turns over all documents in one run, so that noise hits them alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from statistics import median

from benchmarks.peers.turns import Sample, take
from benchmarks.verification import paths
from benchmarks.verification.figures import Figures
from benchmarks.verification.peers import PEERS, Lost, Peer

Times = list[int | None]
"""One entry for each document that was dealt, in ns; None where the path refuses it."""

_TURN = 10  # documents: short beside the ups and downs of a machine, long beside its caches' warming
_LOWER_BOUND, _COLD, _WARM = "lower bound", "cold", "warm"


def race(samples: Sequence[Sample], runs: int, peers: dict[str, Peer]) -> Figures:
    """Let each path verify ``runs`` documents; a peer that is lost on the way is named on stderr and left out."""
    turns: dict[str, Callable[[Sequence[Sample]], Times]] = {
        _LOWER_BOUND: partial(take, paths.lower_bound),
        _COLD: partial(take, paths.cold),
        _WARM: partial(take, paths.warm(samples)),
        **{name: peer.take for name, peer in peers.items()},
    }
    times: dict[str, Times] = {name: [] for name in turns}
    for hand in _hands(samples, runs):
        for name in list(times):
            try:
                times[name] += turns[name](hand)
            except Lost as lost:
                print(f"{name}: {lost}", file=sys.stderr)
                del times[name]
    return _figures(times)


def ratio(times: Times, lower_bound: Times) -> float:
    """Median over median, both over the documents that the path takes; there must be one."""
    pairs = [(ns, bound) for ns, bound in zip(times, lower_bound, strict=True) if ns is not None and bound is not None]
    return median(ns for ns, _ in pairs) / median(bound for _, bound in pairs)


def _hands(samples: Sequence[Sample], runs: int) -> Iterator[list[Sample]]:
    dealt = islice(cycle(samples), runs)
    while hand := list(islice(dealt, _TURN)):
        yield hand


def _figures(times: dict[str, Times]) -> Figures:
    lower_bound = times[_LOWER_BOUND]
    peers = {name: ratio(times[name], lower_bound) for name in PEERS if any(times.get(name, ()))}
    return Figures(
        cold_ratio=ratio(times[_COLD], lower_bound),
        warm_ratio=ratio(times[_WARM], lower_bound),
        lower_bound_us=median(ns for ns in lower_bound if ns is not None) / 1000,
        peers=peers,
        skipped=tuple(name for name in PEERS if name not in peers),
    )
