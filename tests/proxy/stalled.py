"""Clients that hold a place in the proxy and let nothing move: what AWS's vsock-proxy hangs on at the fifth."""

import contextlib
import socket
from typing import Self

from strongroom.transport.addresses import Address
from strongroom.transport.egress import encode_destination
from strongroom.transport.sockets import dial

_DIAL_TIMEOUT_S = 5.0


class StalledClients:
    """Connections in equal parts silent, with half a destination line, and with a destination but never reading.

    The calls block: on an event loop, use a thread.
    """

    def __init__(self, proxy: Address, host: str, port: int) -> None:
        line = encode_destination(host, port)
        self._proxy, self._beginnings = proxy, (b"", line[: len(line) // 2], line)
        self._opened = contextlib.ExitStack()
        self._connections: list[socket.socket] = []

    def open(self, count: int) -> None:
        """Open `count` more. Raises OSError when the proxy does not take them."""
        for _ in range(count):
            connection = self._opened.enter_context(dial(self._proxy, _DIAL_TIMEOUT_S))
            connection.sendall(self._beginnings[len(self._connections) % len(self._beginnings)])
            self._connections.append(connection)

    def close(self) -> None:
        """Close all that were opened."""
        self._connections.clear()
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
