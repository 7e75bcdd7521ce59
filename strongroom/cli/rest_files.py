"""Files at rest: where they go, written whole or not at all, and never over others unasked."""

import fcntl
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from strongroom.cli.failures import EXIT_USAGE, CommandFailed
from strongroom.cli.files import read_some


def bases(files: Sequence[Path], suffix: str, out: Path | None) -> dict[Path, Path]:
    """Where the outputs of each file go, but for their endings: in `out` or beside it, by its name without `suffix`.

    Raises CommandFailed for two files of one name.
    """
    found = {file: (out or file.parent) / file.name.removesuffix(suffix) for file in dict.fromkeys(files)}
    if twice := [base.name for base, count in Counter(found.values()).items() if count > 1]:
        raise CommandFailed("usage", f"{twice[0]}: expected each name once, got two files of it", EXIT_USAGE)
    return found


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write beside `path`, to the disk, then take its name: whoever is killed leaves no half of it. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
        try:
            os.fchmod(draft.fileno(), mode)
            draft.write(data)
            draft.flush()
            os.fsync(draft.fileno())
            os.replace(draft.name, path)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
    _synchronise(path.parent)


def holds(path: Path, data: bytes) -> bool:
    """Whether `path` is there and holds these very bytes. Raises CommandFailed where it holds others, OSError."""
    if not os.path.lexists(path):
        return False
    if read_some(path, len(data) + 1) != data:
        sentence = f"{path}: expected nothing, or what this run would write, got another: --force replaces it"
        raise CommandFailed("exists", sentence, EXIT_USAGE)
    return True


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of that folder, where two would replace each other's files. Raises CommandFailed, OSError."""
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
        raise CommandFailed("in-use", f"{folder}: expected no other run at work in it: wait for its end") from None
    except OSError:
        return  # a file system without locks on folders


def _synchronise(folder: Path) -> None:
    """Its entries too are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
