"""Enclave image files as commands read them: regular files alone, with a bar on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import EXIT_USAGE, CommandFailed

if TYPE_CHECKING:
    from attestation.eif.reader import EIF
    from attestation.eif.source import Progress

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def read_eif(file: Path) -> "EIF":
    """Raises CommandFailed, EIFError, OSError."""
    from attestation.eif.reader import EIF

    require_regular(file)
    with file.open("rb") as stream, progress_bar() as progress:
        return EIF.from_stream(stream, progress)


def require_regular(file: Path) -> None:
    """An image is read to its end, which a device may not have. Raises CommandFailed."""
    if not file.is_file():
        raise CommandFailed("file", f"{file}: expected a regular file, got a device or a pipe", EXIT_USAGE)


@contextmanager
def progress_bar() -> "Iterator[Progress | None]":
    """A bar on a terminal, nothing elsewhere; images have hundreds of megabytes."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("")
        yield lambda done, total: bars.update(task, completed=done, total=total)
