"""Make the protocol's vectors, or compare them with the committed ones: python -m tests.protocol.vectors [--check]."""

from __future__ import annotations

import argparse
import sys

from tests.protocol.vectors import suite


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done and equal; 1: a difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.protocol.vectors")
    parser.add_argument("--check", action="store_true", help="change nothing, list what differs")
    if parser.parse_args(arguments).check:
        different = suite.differences(suite.FOLDER)
        print("\n".join(different) or "equal byte for byte")
        return 1 if different else 0
    suite.write(suite.FOLDER)
    print(f"{sum(len(group.vectors) for group in suite.groups().values())} vectors made")
    return 0


if __name__ == "__main__":
    sys.exit(main())
