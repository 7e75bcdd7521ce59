"""Programs of the host that want a port of the guest: they say `CONNECT PORT`, as Firecracker has it, on one socket.

Source: firecracker, docs/vsock.md, "Host-Initiated Connections". The answer `OK HOSTPORT` is the device's to give.
"""

import re
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from strongroom.simulator.sockets import listen_at
from strongroom.simulator.vhost.loop import READ, Loop

_MAX_LINE_BYTES = 32
_MAX_WAITING = 64
_CONNECT = re.compile(rb"CONNECT ([0-9]{1,10})\n")
_MAX_PORT = 0xFFFFFFFE

Connected = Callable[[socket.socket, int], None]
"""Called with a non-blocking socket, from then on the callee's, and the guest's port."""


class Greetings:
    """Listens at `path`, and hands on every connection that has named a port."""

    def __init__(self, path: Path, loop: Loop, connected: Connected) -> None:
        """Raises OSError."""
        self._loop, self._connected = loop, connected
        self._waiting: dict[socket.socket, bytearray] = {}
        self._listener = listen_at(path)
        self._listener.setblocking(False)
        loop.watch(self._listener.fileno(), READ, lambda _: self._accept())

    def close(self) -> None:
        """Listen no more; those that said nothing yet are cut."""
        for connection in list(self._waiting):
            self._release(connection).close()
        self._loop.forget(self._listener.fileno())
        self._listener.close()

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionError):
            connection, _ = self._listener.accept()
            if len(self._waiting) >= _MAX_WAITING:
                self._release(next(iter(self._waiting))).close()  # the one that has been silent the longest
            connection.setblocking(False)
            self._waiting[connection] = bytearray()
            self._loop.watch(connection.fileno(), READ, lambda _: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        line = self._waiting[connection]
        with suppress(OSError):  # BlockingIOError included: the rest of the line comes later
            while (octet := connection.recv(1)) and len(line) < _MAX_LINE_BYTES:  # what follows it is the guest's
                line += octet
                if octet == b"\n":
                    return self._greet(self._release(connection), bytes(line))
            self._release(connection).close()
        return None

    def _greet(self, connection: socket.socket, line: bytes) -> None:
        match = _CONNECT.fullmatch(line)
        if match and int(match[1]) <= _MAX_PORT:
            self._connected(connection, int(match[1]))
        else:
            connection.close()

    def _release(self, connection: socket.socket) -> socket.socket:
        self._loop.forget(connection.fileno())
        del self._waiting[connection]
        return connection
