"""The one command line: each command parses, calls its component, prints. Commands are imported when they are used."""

import sys


def main() -> None:
    """Entry point of `strongroom`; the exit codes are listed in docs/operations.md."""
    try:
        from strongroom.cli.commands import cli
        from strongroom.cli.ending import end_in_order
        from strongroom.cli.failures import run

        end_in_order()
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(cli))
