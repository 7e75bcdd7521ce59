"""Connections from inside the enclave through the proxy: each has one deadline for everything that is done with it.

A time-out for each read would let a peer, or the host between, hold a thread for ever with a byte now and then. All
that is read has one bound, too: http.client takes a chunk of a negative size to mean everything up to the end.
"""

import socket
import ssl
import time
from typing import Any

from enclave.errors import KMSRefused
from strongroom.transport.addresses import Address
from strongroom.transport.egress import ACCEPTED, encode_destination
from strongroom.transport.sockets import dial


def time_left_s(deadline_at: float) -> float:
    """Seconds until `deadline_at` by the monotonic clock; raise TimeoutError when there are none."""
    left = deadline_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def dial_through(proxy: Address, host: str, port: int, deadline_at: float) -> socket.socket:
    """A connection to host:port through the proxy; raise OSError when it refuses or is silent until then."""
    connection = dial(proxy, time_left_s(deadline_at))
    try:
        connection.sendall(encode_destination(host, port))
        if _receive(connection, len(ACCEPTED), deadline_at) != ACCEPTED:
            raise ConnectionRefusedError("the proxy refused the destination")
        connection.settimeout(time_left_s(deadline_at))
    except OSError:
        connection.close()
        raise
    return connection


def _receive(connection: socket.socket, count: int, deadline_at: float) -> bytes:
    received = b""
    while len(received) < count:
        connection.settimeout(time_left_s(deadline_at))
        piece = connection.recv(count - len(received))
        if not piece:
            break
        received += piece
    return received


class TimedTLSSocket(ssl.SSLSocket):
    """A TLS socket whose reads and writes share the deadline, and its reads the bound of bytes, that were set last.

    For `SSLContext.sslsocket_class`.
    """

    deadline_at = 0.0
    bytes_left = 0

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """As ssl.SSLSocket.read, which every way to receive ends in; raise KMSRefused beyond the bound."""
        self.settimeout(time_left_s(self.deadline_at))
        received: Any = super().read(len, buffer)  # with a buffer, the count of bytes
        self.bytes_left -= memoryview(received).nbytes if buffer is None else received
        if self.bytes_left < 0:
            raise KMSRefused("kms-bad-answer", "KMS: expected an answer of bounded length, got more")
        return received

    def send(self, data: Any, flags: int = 0) -> int:
        """As ssl.SSLSocket.send, which sendall calls."""
        self.settimeout(time_left_s(self.deadline_at))
        return super().send(data, flags)
