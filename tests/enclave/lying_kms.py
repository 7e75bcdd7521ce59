"""The host between the enclave and KMS: it takes the place of the proxy, and of KMS, and says what a test wants said.

It keeps every destination that it was asked for, and every byte that it got inside TLS.
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Talk = Callable[[socket.socket, "Host"], None]
"""Says something on a connection that was accepted; whatever it raises ends the connection."""
Answer = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]]]
"""(operation, members of the request) → (HTTP status, members of the answer)."""


@dataclass
class Host:
    """What it saw, and the event that ends those who wait."""

    destinations: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    over: threading.Event = field(default_factory=threading.Event)


def server_context(certificate: Path) -> ssl.SSLContext:
    """TLS as a server offers it who has nothing special in mind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@contextmanager
def serve(path: Path, talk: Talk, context: ssl.SSLContext | None, *, accept: bytes = b"OK\n") -> Iterator[Host]:
    """Listen at a UNIX socket, as the proxy does, until the block ends; without a context there is no TLS."""
    host, listener = Host(), socket.socket(socket.AF_UNIX)
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    listener.listen()
    threads: list[threading.Thread] = []

    def take(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            host.destinations.append(_line(connection))
            connection.sendall(accept)
            if context is None:
                talk(connection, host)
                return
            with context.wrap_socket(connection, server_side=True) as secured:
                talk(secured, host)

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(5)
            threads.append(threading.Thread(target=take, args=(connection,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=listen, daemon=True)
    accepting.start()
    try:
        yield host
    finally:
        host.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        path.unlink()
        for thread in (accepting, *threads):
            thread.join(6)


def _line(connection: socket.socket) -> str:
    line = b""
    while not line.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece:
            raise ConnectionError
        line += piece
    return line.decode().strip()


def answering(answer: Answer) -> Talk:
    """KMS's protocol: one answer for each request, on connections that are kept."""

    def talk(connection: socket.socket, host: Host) -> None:
        while True:
            operation, members = read_request(connection, host)
            status, reply = answer(operation, members)
            connection.sendall(http_answer(json.dumps(reply).encode(), status))

    return talk


def saying(answer: bytes) -> Talk:
    """The same bytes for every request."""

    def talk(connection: socket.socket, host: Host) -> None:
        while True:
            read_request(connection, host)
            connection.sendall(answer)

    return talk


def read_request(connection: socket.socket, host: Host) -> tuple[str, dict[str, Any]]:
    """The next request; raise ConnectionError at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _receive(connection, host)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    fields = {name.lower(): value for name, _, value in lines}
    while len(body) < int(fields["content-length"]):
        body += _receive(connection, host)
    host.heads.append(head.decode())
    host.operations.append(fields["x-amz-target"].rpartition(".")[2])
    return host.operations[-1], json.loads(body)


def keep_everything(connection: socket.socket, host: Host) -> None:
    """Take what comes, answer nothing."""
    while not host.over.is_set():
        _receive(connection, host)


def _receive(connection: socket.socket, host: Host) -> bytes:
    piece = connection.recv(64 << 10)
    host.received += piece
    if not piece:
        raise ConnectionError
    return piece


def http_answer(body: bytes, status: int = 200, *fields: str) -> bytes:
    """An HTTP/1.1 answer with a length."""
    head = [f"HTTP/1.1 {status} X", "Content-Type: application/x-amz-json-1.1", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
