"""The counters as Prometheus text, on a loopback port of their own: `GET /metrics` and nothing else."""

import asyncio
import contextlib
import re
import socket
from contextlib import AbstractAsyncContextManager

from proxy.accepting import Places, accepting
from proxy.counters import Counters
from proxy.exposition import exposition

_MAX_HEAD_BYTES = 4096
_MAX_SCRAPES = 8
_TIMEOUT_S = 5.0
_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,256}) HTTP/1\.[01]")


class MetricsServer:
    """HTTP/1 with one request on each connection, which is closed after the answer."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def serving(self, listener: socket.socket) -> AbstractAsyncContextManager[None]:
        """Answer on `listener` while the block runs; then close it."""
        return accepting(listener, self._serve, Places(_MAX_SCRAPES))

    async def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_TIMEOUT_S):
                answer = self._answer(await _head(connection))
                await asyncio.get_running_loop().sock_sendall(connection, answer)

    def _answer(self, head: bytes) -> bytes:
        lines, end, _ = head.partition(b"\r\n\r\n")
        request = _REQUEST_LINE.fullmatch(lines.partition(b"\r\n")[0])
        if not end or request is None:
            return _response("400 Bad Request")
        if request[2] != b"/metrics":
            return _response("404 Not Found")
        if request[1] != b"GET":
            return _response("405 Method Not Allowed", "Allow: GET\r\n")
        return _response("200 OK", body=exposition(self._counters))


def listen_loopback(address: str, port: int) -> socket.socket:
    """A listening TCP socket on a loopback address, the caller's to close; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family)


async def _head(connection: socket.socket) -> bytes:
    """What came up to the empty line, to the sender's end, or to the most that a head may have."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _MAX_HEAD_BYTES:
        part = await asyncio.get_running_loop().sock_recv(connection, _MAX_HEAD_BYTES - len(head))
        if not part:
            break
        head += part
    return head


def _response(status: str, header: str = "", body: str = "") -> bytes:
    fixed = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close\r\n"
    content = body.encode()
    return f"HTTP/1.1 {status}\r\n{fixed}{header}Content-Length: {len(content)}\r\n\r\n".encode() + content
