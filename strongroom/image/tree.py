"""A folder on disk as the entries of an archive: what can differ between two builds is left behind."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from strongroom.image.cpio import Entry, directory, regular, symlink
from strongroom.image.errors import InputRefused


def entries_of(root: Path, prefix: str) -> Iterator[Entry]:
    """Everything below ``root``, under ``prefix``, which is the first. Raises InputRefused for devices and sockets.

    Owners, times, set-user-id bits and whatever a umask takes away are not carried over.
    """
    yield directory(prefix)
    for folder, _, _ in os.walk(root, onerror=_raise):
        above = Path(folder).relative_to(root).as_posix()
        base = prefix if above == "." else f"{prefix}/{above}"
        with os.scandir(folder) as found:
            yield from (_entry(each, f"{base}/{each.name}") for each in found)


def _entry(found: "os.DirEntry[str]", name: str) -> Entry:
    status = found.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return directory(name)
    if stat.S_ISLNK(status.st_mode):
        return symlink(name, os.readlink(found.path))
    if not stat.S_ISREG(status.st_mode):
        raise InputRefused(f"{name}: expected a file, a folder or a symbolic link, got another kind")
    inode = (status.st_dev, status.st_ino) if status.st_nlink > 1 else None
    return regular(name, Path(found.path), executable=bool(status.st_mode & 0o111), inode=inode)


def _raise(error: OSError) -> None:
    raise error
