"""The command: arguments in, figures and an exit code out."""

from __future__ import annotations

from benchmarks.arguments import Parser
from benchmarks.release.measure import FULL, SHORT, measure


def main() -> int:
    """Measure and print what was found; the exit code."""
    parser = Parser(description="Time key releases through the proxy.")
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    parser.add_argument("--short", action="store_true", help="a few calls, to try it out: too few for the limits")
    arguments = parser.parse_args()
    figures = measure(SHORT if arguments.short else FULL)
    print(figures.to_json() if arguments.json else figures.table())
    return 1 if figures.misses() else 0
