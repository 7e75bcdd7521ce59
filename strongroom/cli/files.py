"""What the user names: read once, bounded, as text only if it is text. A name can be a pipe or /dev/zero."""

import os
import sys
from pathlib import Path
from typing import Literal

from strongroom.cli.failures import EXIT_USAGE, CommandFailed

STANDARD_INPUT = Path("-")
"""This object and no equal one: a file can have that name, `./-` asks for it, and a folder may hold it."""


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file. Raises CommandFailed beyond `max_bytes`, OSError."""
    data = read_some(path, max_bytes + 1)
    if len(data) > max_bytes:
        raise CommandFailed("too-large", f"{path}: expected at most {max_bytes} bytes", EXIT_USAGE)
    return data


def read_some(path: Path, max_bytes: int) -> bytes:
    """The first `max_bytes` of a file, or of STANDARD_INPUT. Raises CommandFailed, OSError."""
    if path is not STANDARD_INPUT:
        with path.open("rb") as source:
            return source.read(max_bytes)
    if sys.stdin is None:
        raise CommandFailed("usage", "expected standard input, got none: it is closed", EXIT_USAGE)
    return sys.stdin.buffer.read(max_bytes)


def write_private(path: Path, data: bytes, mode: Literal["wb", "xb"] = "wb") -> None:
    """Write to `path`; a file that was not there is its owner's alone, and with "xb" there must be none.

    Raises FileExistsError, OSError.
    """
    with open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)


def read_text(max_bytes: int) -> str:
    """Standard input as UTF-8. Raises CommandFailed."""
    data = read_some(STANDARD_INPUT, max_bytes + 1)
    if len(data) > max_bytes:
        raise CommandFailed("too-large", f"standard input: expected at most {max_bytes} bytes", EXIT_USAGE)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CommandFailed("text", "standard input: expected text in UTF-8, got other bytes", EXIT_USAGE) from None
