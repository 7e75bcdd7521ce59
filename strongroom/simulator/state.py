"""Secret files of a state folder: readable by their owner only, and never seen half-written."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class StateRefused(ValueError):
    """A state folder holds something else than what belongs there."""

    code = "state"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make `folder` when it is missing, and hold it for the length of the block.

    Raises StateRefused when somebody else holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StateRefused(f"{folder}: expected a folder that no other simulator runs in, got one in use") from None


def write(path: Path, content: bytes) -> None:
    """Replace `path` by `content` in one step, mode 0600."""
    temporary = _written_beside(path, content)
    os.replace(temporary, path)


def read_or_create(path: Path, content: bytes) -> bytes:
    """Create `path` with `content` unless it exists, and return what it holds.

    Of two processes that start together one wins, and both read the winner's content.
    """
    if not path.exists():
        temporary = _written_beside(path, content)
        try:
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            temporary.unlink()
    return path.read_bytes()


def _written_beside(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temporary
