"""Where a local endpoint listens: on 127.0.0.1, or on a UNIX socket that is its owner's alone; nowhere else."""

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.client.errors import InvalidArgument

_LOOPBACK: Final = "127.0.0.1"
_DEFAULT_PORT: Final = 80
_TCP: Final = re.compile(r"127\.0\.0\.1:(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, its URL, and the Host headers of those who mean it (None where no browser gets to it)."""

    socket: socket.socket
    url: str
    hosts: tuple[str, ...] | None
    path: Path | None = None

    def close(self) -> None:
        """Listen no more; the file of a UNIX socket goes. Closing twice is no error."""
        self.socket.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def listen(address: str) -> Listener:
    """Bind `127.0.0.1:PORT` (0 takes a free one) or `unix:PATH`. Raises InvalidArgument, OSError that names it."""
    try:
        if address.startswith("unix:"):
            return _on_unix(Path(address.removeprefix("unix:")))
        return _on_loopback(address)
    except OSError as error:
        raise OSError(error.errno, error.strerror, address) from None


def hosts_of(port: int) -> tuple[str, ...]:
    """The Host headers of those who mean that port of this machine; they need not name the default one."""
    names = (_LOOPBACK, "localhost")
    return tuple(f"{name}:{port}" for name in names) + (names if port == _DEFAULT_PORT else ())


def _on_loopback(address: str) -> Listener:
    match = _TCP.fullmatch(address)
    if match is None or int(match[1]) > 65535:
        raise InvalidArgument("listen: expected 127.0.0.1:PORT or unix:PATH, got another address: it must stay local")
    bound = socket.socket(socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bind(bound, (_LOOPBACK, int(match[1])))
    port = bound.getsockname()[1]
    return Listener(bound, f"http://{_LOOPBACK}:{port}", hosts_of(port))


def _on_unix(path: Path) -> Listener:
    bound = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)  # the file is its owner's alone from its first moment
    try:
        _bind(bound, str(path))
    finally:
        os.umask(before)
    return Listener(bound, f"unix:{path}", None, path)


def _bind(bound: socket.socket, address: tuple[str, int] | str) -> None:
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
