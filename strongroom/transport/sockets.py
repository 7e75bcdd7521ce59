"""Stream sockets between the parts, the only place that opens them. All returned sockets are the caller's to close."""

import asyncio
import errno
import os
import re
import socket
import time
from pathlib import Path

from strongroom.transport.addresses import Address, UnixAddress, VsockAddress, VsockUnixAddress

_BACKLOG = 512
_OK = re.compile(rb"OK [0-9]{1,10}\n")
_MAX_OK_BYTES = 14


def _new_socket(address: Address) -> socket.socket:
    family = socket.AF_VSOCK if isinstance(address, VsockAddress) else socket.AF_UNIX
    return socket.socket(family, socket.SOCK_STREAM)


def _target(address: Address) -> str | tuple[int, int]:
    return (address.cid, address.port) if isinstance(address, VsockAddress) else str(address.path)


def _check_answer(line: bytes) -> None:
    """The answer to CONNECT; a port where nobody listens has none."""
    if not _OK.fullmatch(line):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "expected OK and a port, got another answer or none")


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
    if isinstance(address, VsockUnixAddress):
        address = address.host_port
    if isinstance(address, UnixAddress) and _is_left_over(address.path):
        address.path.unlink()
    listener = _new_socket(address)
    try:
        listener.bind(_target(address))
        if isinstance(address, UnixAddress):
            os.chmod(address.path, 0o600)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _ask(connection: socket.socket, port: int, deadline: float) -> None:
    """Name the guest's port; the answer is read byte by byte, for what follows it is the guest's."""
    connection.sendall(b"CONNECT %d\n" % port)
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < _MAX_OK_BYTES:
        connection.settimeout(max(deadline - time.monotonic(), 1e-3))
        if not (octet := connection.recv(1)):
            break
        line += octet
    _check_answer(bytes(line))


async def _ask_on_loop(connection: socket.socket, port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, b"CONNECT %d\n" % port)
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < _MAX_OK_BYTES and (octet := await loop.sock_recv(connection, 1)):
        line += octet
    _check_answer(bytes(line))


def dial(address: Address, timeout_s: float) -> socket.socket:
    """Connect, blocking at most `timeout_s`; the socket keeps that timeout. Raises OSError (TimeoutError included)."""
    connection, deadline = _new_socket(address), time.monotonic() + timeout_s
    try:
        connection.settimeout(timeout_s)
        connection.connect(_target(address))
        if isinstance(address, VsockUnixAddress):
            _ask(connection, address.port, deadline)
            connection.settimeout(timeout_s)
    except BaseException:
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
            if isinstance(address, VsockUnixAddress):
                await _ask_on_loop(connection, address.port)
    except BaseException:
        connection.close()
        raise
    return connection
