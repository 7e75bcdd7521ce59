"""The state folder: held by one supervisor, read by whoever asks how its enclaves fare."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from parent.audit.files import put
from parent.lifecycle.errors import StateUnusable
from parent.lifecycle.record import Standing
from strongroom.transport.addresses import UnixAddress

_MAX_BYTES = 1 << 20
_MAX_PATH_BYTES = 84
"""unix(7) has 107 for a socket's path, and `/vsock-4.sock_7004` has its place."""
_LOCK_TRIES, _LOCK_PAUSE_S = 5, 0.1
"""Whoever asks whether it is held, holds it for an instant."""


class StateFolder:
    """Its files: `enclaves.json`, `supervisor.lock`, and `supervisor.sock` while a supervisor runs.

    `errands` is that socket's address. Raises StateUnusable for a path that is too long for the sockets in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        if len(os.fsencode(self.path)) > _MAX_PATH_BYTES:
            raise StateUnusable(
                f"{self.path}: expected a path of at most {_MAX_PATH_BYTES} bytes, as sockets need, got a longer one"
            )
        self._record, self._lock = self.path / "enclaves.json", self.path / "supervisor.lock"
        self.errands = UnixAddress(self.path / "supervisor.sock")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder when it is missing, and hold it. Raises StateUnusable when another supervisor does."""
        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _locked_soon(descriptor):
                raise StateUnusable(f"{self.path}: expected a folder that no other supervisor holds, got one in use")
            yield
        finally:
            os.close(descriptor)

    @property
    def supervised(self) -> bool:
        """Whether a supervisor holds it now; else what it says is of one that is gone."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _locked(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> Standing | None:
        """What the last supervisor wrote; None when nothing ran, or ended in order. Raises StateUnusable, OSError."""
        try:
            with self._record.open("rb") as file:
                return msgspec.json.decode(file.read(_MAX_BYTES), type=Standing)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise StateUnusable(
                f"{self._record}: expected what a supervisor writes, got something else: "
                "end what still runs (nitro-cli describe-enclaves), then remove it"
            ) from None

    def write(self, standing: Standing) -> None:
        """Replace what it says, in one step."""
        put(self._record, msgspec.json.encode(standing))

    def clear(self) -> None:
        """Nothing runs any more."""
        self._record.unlink(missing_ok=True)
        self.errands.path.unlink(missing_ok=True)


def _locked_soon(descriptor: int) -> bool:
    for _ in range(_LOCK_TRIES):
        if _locked(descriptor):
            return True
        time.sleep(_LOCK_PAUSE_S)
    return False


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
