"""The command: arguments in, figures and an exit code out."""

from __future__ import annotations

from benchmarks.arguments import Parser
from benchmarks.startup.boots import BootFailed
from benchmarks.startup.measure import FULL, SHORT, measure
from strongroom.simulator.part import PartFailed


def main() -> int:
    """Measure and print what was found; the exit code."""
    parser = Parser(description="Time an enclave's way from nothing to ready, and weights on their way in.")
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    parser.add_argument("--short", action="store_true", help="one boot of each kind, to try it out")
    arguments = parser.parse_args()
    try:
        figures = measure(SHORT if arguments.short else FULL)
    except (BootFailed, PartFailed) as failure:
        parser.exit(1, f"{parser.prog}: {failure}\n")
    print(figures.to_json() if arguments.json else figures.table())
    return 1 if figures.misses() else 0
