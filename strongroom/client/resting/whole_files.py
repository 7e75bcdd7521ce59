"""Files read bounded, written whole or not at all, and never over others unasked."""

import os
import tempfile
from pathlib import Path

from strongroom.client.resting.errors import FileTooLarge, NameTaken

SECRET_MODE = 0o600


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The bytes of a file. Raises FileTooLarge, OSError."""
    data = _read(path, max_bytes + 1)
    if len(data) > max_bytes:
        raise FileTooLarge(path, max_bytes)
    return data


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


def require_writable(folder: Path) -> None:
    """Files can be made in it, now at least. Raises OSError, which names the folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def holds(path: Path, data: bytes) -> bool:
    """Whether `path` is there and holds these very bytes. Raises NameTaken where it holds others, OSError."""
    if not os.path.lexists(path):
        return False
    if _read(path, len(data) + 1) != data:
        raise NameTaken(path, "what this run would write")
    return True


def _read(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as source:
        return source.read(max_bytes)


def _synchronise(folder: Path) -> None:
    """Its entries too are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
