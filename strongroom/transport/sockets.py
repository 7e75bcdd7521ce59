"""Stream sockets between the parts, the only place that opens them. All returned sockets are the caller's to close."""

import asyncio
import errno
import os
import socket
from pathlib import Path

from strongroom.transport.addresses import Address, UnixAddress

_BACKLOG = 512


def _new_socket(address: Address) -> socket.socket:
    family = socket.AF_UNIX if isinstance(address, UnixAddress) else socket.AF_VSOCK
    return socket.socket(family, socket.SOCK_STREAM)


def _target(address: Address) -> str | tuple[int, int]:
    return str(address.path) if isinstance(address, UnixAddress) else (address.cid, address.port)


def _is_left_over(path: Path) -> bool:
    """Whether a socket at that path has lost its listener: a path given by mistake may name another's."""
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED


def listen(address: Address) -> socket.socket:
    """A listening socket; a UNIX path left by a dead process is replaced, its new file readable by its owner only.

    Raises OSError, also when somebody listens there.
    """
    if isinstance(address, UnixAddress) and _is_left_over(address.path):
        address.path.unlink()
    listener = _new_socket(address)
    try:
        listener.bind(_target(address))
        if isinstance(address, UnixAddress):
            os.chmod(address.path, 0o600)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def dial(address: Address, timeout_s: float) -> socket.socket:
    """Connect, blocking at most `timeout_s`; the socket keeps that timeout. Raises OSError (TimeoutError included)."""
    connection = _new_socket(address)
    try:
        connection.settimeout(timeout_s)
        connection.connect(_target(address))
    except OSError:
        connection.close()
        raise
    return connection


async def connect(address: Address, timeout_s: float) -> socket.socket:
    """Connect on the running loop; the socket is non-blocking. Raises OSError (TimeoutError included)."""
    connection = _new_socket(address)
    try:
        connection.setblocking(False)
        async with asyncio.timeout(timeout_s):
            await asyncio.get_running_loop().sock_connect(connection, _target(address))
    except (OSError, asyncio.CancelledError):
        connection.close()
        raise
    return connection
