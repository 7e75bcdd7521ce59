"""What the benchmarks' commands have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Exits with 2 and one line for arguments that it cannot use, where argparse would print the usage as well."""

    def error(self, message: str) -> NoReturn:
        """End the process."""
        self.exit(2, f"{self.prog}: {message}\n")


def folder(text: str) -> Path:
    """The type of an argument that names a folder, which need not be there yet."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError("expected a folder, got something else")
    return path
