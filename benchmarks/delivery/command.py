"""The command: arguments in, figures out."""

from __future__ import annotations

import argparse

from benchmarks.arguments import Parser
from benchmarks.delivery.measure import measure


def main() -> int:
    """Measure and print what was found."""
    parser = Parser(description="Time sealed weights on their way into the enclave.")
    parser.add_argument("--json", action="store_true", help="one line instead of a table")
    parser.add_argument(
        "--size-mib", type=_positive, default=256, metavar="N", help="size of the model, 256 unless told"
    )
    parser.add_argument("--runs", type=_positive, default=11, metavar="N", help="runs of each, 11 unless told")
    arguments = parser.parse_args()
    figures = measure(arguments.size_mib, arguments.runs)
    print(figures.to_json() if arguments.json else figures.table())
    return 0


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 5 and int(text)):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 9999, got {text!r}")
    return int(text)
