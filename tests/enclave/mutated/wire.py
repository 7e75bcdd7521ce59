"""Raw HTTP over several kept connections of a UNIX socket: as much at a time as one enclave takes."""

import socket
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from strongroom.protocol.constants import MEDIA_SEALED_REQUEST, PATH_SEALED

CONNECTIONS = 8
_HEAD = f"POST {PATH_SEALED} HTTP/1.1\r\nhost: e\r\ncontent-type: {MEDIA_SEALED_REQUEST}\r\ncontent-length: ".encode()


class Connection:
    """One kept connection; an answer is given as the bytes that came."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(str(path))
        self._buffer = b""

    def send(self, message: bytes) -> None:
        """Ask."""
        self._socket.sendall(_HEAD + str(len(message)).encode() + b"\r\n\r\n" + message)

    def receive(self) -> tuple[int, bytes]:
        """Status and everything, the head included."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._more()
        head = self._buffer[:end].lower()
        if b"transfer-encoding: chunked" in head:
            while (stop := self._buffer.find(b"\r\n0\r\n\r\n", end)) < 0:
                self._more()
            total = stop + 7
        else:
            total = end + 4 + int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
            while len(self._buffer) < total:
                self._more()
        answer, self._buffer = self._buffer[:total], self._buffer[total:]
        return int(answer.split(b" ", 2)[1]), answer

    def close(self) -> None:
        """No more."""
        self._socket.close()

    def _more(self) -> None:
        if not (data := self._socket.recv(1 << 16)):
            raise ConnectionError("expected an answer, got the end of the connection")
        self._buffer += data


def body_of(answer: bytes) -> bytes:
    """The body of an answer as it came, out of its chunks if it came in some."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return body
    pieces = []
    while size := int(body[: (start := body.index(b"\r\n") + 2)], 16):
        pieces.append(body[start : start + size])
        body = body[start + size + 2 :]
    return b"".join(pieces)


def exchanges(path: Path, messages: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The answer to each message."""
    connections = [Connection(path) for _ in range(CONNECTIONS)]
    source = iter(messages)
    try:
        while batch := list(islice(source, CONNECTIONS)):
            asked = list(zip(connections, batch, strict=False))
            for connection, message in asked:
                connection.send(message)
            for connection, _ in asked:
                yield connection.receive()
    finally:
        for connection in connections:
            connection.close()
