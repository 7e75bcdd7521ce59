"""The command: arguments in, figures and an exit code out."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.arguments import Parser
from benchmarks.verification.peers import ROOT, running
from benchmarks.verification.race import race
from benchmarks.verification.samples import Unusable, load

MIN_RUNS = 200


def main() -> int:
    """Run the race and print what it found; the exit code."""
    parser = _parser()
    arguments = parser.parse_args()
    try:
        samples = load(arguments.corpus)
    except Unusable as unusable:
        parser.error(str(unusable))
    with running(arguments.peers) as peers:
        figures = race(samples, arguments.runs, peers)
    print(figures.to_json() if arguments.json else figures.table())
    return 1 if figures.misses() else 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description="Time the verification of attestation documents.")
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="folder of genuine documents")
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    parser.add_argument("--runs", type=_runs, default=2 * MIN_RUNS, metavar="N", help=f"turns, at least {MIN_RUNS}")
    parser.add_argument("--peers", type=Path, default=ROOT / ".peers", metavar="DIR", help="what make peers made")
    return parser


def _runs(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) < MIN_RUNS:
        raise argparse.ArgumentTypeError(f"expected at least {MIN_RUNS}, got {text!r}")
    return int(text)
