"""Where the files of a run go, and a folder that is one run's alone."""

import fcntl
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.client.errors import InvalidArgument
from strongroom.client.resting.errors import FolderInUse


def bases(files: Iterable[Path], suffix: str, out: Path | None) -> dict[Path, Path]:
    """Where the outputs of each file go, but for their endings: in `out` or beside it, by its name without `suffix`.

    Raises InvalidArgument for two files of one name.
    """
    found = {file: (out or file.parent) / file.name.removesuffix(suffix) for file in dict.fromkeys(files)}
    if twice := [base.name for base, count in Counter(found.values()).items() if count > 1]:
        raise InvalidArgument(f"{twice[0]}: expected each name once, got two files of it")
    return found


def make_folders(*folders: Path | None) -> None:
    """Make those that are named and not there yet. Raises OSError."""
    for folder in filter(None, folders):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of that folder, where two would replace each other's files. Raises FolderInUse, OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FolderInUse(folder) from None
    except OSError:
        return  # a file system without locks on folders
