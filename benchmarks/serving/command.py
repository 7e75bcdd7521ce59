"""The command: arguments in, figures and an exit code out."""

from __future__ import annotations

import argparse
import sys

from benchmarks.arguments import Parser, folder
from benchmarks.serving.measure import Measurement
from benchmarks.serving.plan import FULL, SHORT
from benchmarks.serving.servers import Peers
from benchmarks.serving.workers import ROOT, WorkerLost
from strongroom.models.errors import ModelError
from strongroom.simulator.part import PartFailed


def main() -> int:
    """Measure and print what was found; the exit code."""
    parser = _parser()
    arguments = parser.parse_args()
    plan = SHORT if arguments.short else FULL
    try:
        peers = Peers(None if arguments.no_peers else arguments.peers)
        figures = Measurement(plan, peers, arguments.models, _say).run(may_skip=arguments.no_peers)
    except (ModelError, PartFailed, WorkerLost) as failure:
        parser.exit(1, f"{parser.prog}: {failure}\n")
    print(figures.to_json() if arguments.json else figures.table())
    return 1 if figures.misses() else 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description="Race sealed inference with the plain runtime and with plain servers.")
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    parser.add_argument("--short", action="store_true", help="a glance at tiny models, whose figures mean nothing")
    parser.add_argument("--no-peers", action="store_true", help="leave them out, and the rows that compare with them")
    parser.add_argument("--peers", type=folder, default=ROOT / ".peers", metavar="DIR", help="what make peers made")
    parser.add_argument("--models", type=folder, default=ROOT / ".models", metavar="DIR", help="packages; built there")
    return parser


def _say(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(line + "\n")
