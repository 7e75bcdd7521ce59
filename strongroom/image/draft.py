"""Files written whole or not at all, however large."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what only writing fails with, and without saying where


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path`, to write and to read, that takes its name when the block ends well; else it is gone.

    A link keeps pointing where it did, and a file that was there gives its mode; a device or a pipe that is there is
    refused, for the file would take its place. Raises OSError.
    """
    path = _behind_links(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with draft.open("x+b") as file:
            yield file
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        if error.errno in _NO_ROOM:
            error.filename = str(path)
        raise
    finally:
        draft.unlink(missing_ok=True)


def require_folder(path: Path) -> None:
    """There is a folder in which `path` can be made or replaced: worth knowing before a long build. Raises OSError."""
    folder = _behind_links(path).parent
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        error.filename = str(folder)
        raise


def _behind_links(path: Path) -> Path:
    """Asked of `path` itself, for what a link of /proc points to may have no name."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            expected = "expected a regular file or none, got a device, a pipe or a folder"
            raise OSError(errno.EINVAL, expected, str(path))
    return Path(os.path.realpath(path))
