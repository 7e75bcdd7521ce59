"""A local server for tests, and requests to it as bytes."""

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from strongroom.client.endpoint.answering import Endpoint
from strongroom.client.endpoint.guard import Guard
from strongroom.client.endpoint.limits import Limits
from strongroom.client.endpoint.listening import Listener, listen
from strongroom.client.endpoint.server import LocalServer
from strongroom.client.session import AttestedSession

KEY = "a key of some length"


@asynccontextmanager
async def serving(
    session: AttestedSession, address: str = "127.0.0.1:0", key: str | None = KEY, limits: Limits | None = None
) -> AsyncIterator[Listener]:
    """Serve over that session, which is closed at the end."""
    listener = listen(address)
    server = LocalServer(Endpoint(session), listener, Guard(listener.hosts, key), limits)
    await server.start()
    try:
        yield listener
    finally:
        await server.close()
        listener.close()
        await session.close()


async def asked(
    listener: Listener, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Status, body and headers of one answer."""
    return await asyncio.to_thread(_asked, listener, path, body, {"Authorization": f"Bearer {KEY}", **(headers or {})})


def _asked(
    listener: Listener, path: str, body: bytes | None, headers: Mapping[str, str]
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = _UNIXConnection(listener.path) if listener.path else http.client.HTTPConnection(_address(listener))
    try:
        connection.request("GET" if body is None else "POST", path, body, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def connected(listener: Listener) -> socket.socket:
    """A connection on which nothing was said yet."""
    host, port = _address(listener).split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _address(listener: Listener) -> str:
    return listener.url.removeprefix("http://")


class _UNIXConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))
