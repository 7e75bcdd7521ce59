"""Make the vectors, compare them with the committed ones, or drive a verifier with them.

python -m tests.attestation.vectors generate [--check]
python -m tests.attestation.vectors run [--compare code|class|verdict] -- COMMAND...
"""

from __future__ import annotations

import argparse
import shutil
import sys

from tests.attestation.vectors import runner, suite


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done and equal; 1: a difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.attestation.vectors")
    commands = parser.add_subparsers(dest="task", required=True)
    generate = commands.add_parser("generate", help="make the vectors anew")
    generate.add_argument("--check", action="store_true", help="change nothing, list what differs")
    run = commands.add_parser("run", help="drive a verifier")
    run.add_argument("--compare", choices=runner.DEPTHS, default="code", help="what must agree (default: code)")
    run.add_argument("command", nargs="+", metavar="COMMAND", help="what stands before `document.cbor`")
    given = parser.parse_args(arguments)
    if given.task == "run":
        return runner.main(given.command, given.compare)
    return _check() if given.check else _generate()


def _generate() -> int:
    for entry in suite.FOLDER.glob("*-*/"):
        shutil.rmtree(entry)
    suite.write(suite.FOLDER)
    print(f"{len(suite.cases())} vectors made")
    return 0


def _check() -> int:
    different = suite.differences(suite.FOLDER)
    print("\n".join(different) or f"{len(suite.cases())} vectors, equal byte for byte")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
