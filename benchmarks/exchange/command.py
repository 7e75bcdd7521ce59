"""The command: arguments in, figures and an exit code out."""

from __future__ import annotations

from benchmarks.arguments import Parser
from benchmarks.exchange.measure import FULL, SHORT, measure


def main() -> int:
    """Measure and print what was found; the exit code."""
    parser = Parser(description="Time sealing, streaming and receipts beside the primitives.")
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    parser.add_argument("--short", action="store_true", help="a glance, whose figures mean little")
    arguments = parser.parse_args()
    figures = measure(SHORT if arguments.short else FULL)
    print(figures.to_json() if arguments.json else figures.table())
    return 1 if figures.misses() else 0
