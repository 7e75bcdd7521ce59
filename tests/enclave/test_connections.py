"""A host that keeps connections open, or sends heads without end, is cut off (partial HTTP)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from enclave import connections
from enclave.asgi import App, Receive, Scope, Send, read_body, respond
from enclave.server import _server
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen


async def echo_length(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_body(receive, 1 << 20)
    await respond(send, 200, "text/plain", str(len(body)).encode())


@asynccontextmanager
async def serving(folder: Path, max_connections: int = 8, app: App = echo_length) -> AsyncIterator[Path]:
    path = folder / "s"
    listener = listen(UnixAddress(path))
    server = _server(app, max_connections)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield path
    finally:
        server.should_exit = True
        await task
        listener.close()


async def exchange(path: Path, *pieces: bytes) -> bytes:
    """Everything the enclave answers until it closes or falls silent after a whole answer."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(200), 5)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def test_requests_with_large_bodies_follow_each_other_on_one_connection(tmp_path: Path) -> None:
    request = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n" + bytes(65536)
    chunked = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nTrailer: x\r\n\r\n"
    async with serving(tmp_path) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        for sent, expected in ((request, b"65536"), (chunked, b"5"), (request, b"65536")):
            writer.write(sent)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(len(expected)) == expected
        writer.close()


@pytest.mark.parametrize(
    "head",
    [b"GET /" + b"x" * 20_000, b"GET / HTTP/1.1\r\nx: " + b"y" * 20_000, b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 4000],
)
async def test_a_head_without_end_is_cut_off(tmp_path: Path, head: bytes) -> None:
    async with serving(tmp_path) as path:
        assert await exchange(path, head) == b""


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\n"])
async def test_a_head_has_a_deadline(tmp_path: Path, head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_DEADLINE_S", 0.05)
    async with serving(tmp_path) as path:
        assert await exchange(path, head) == b""


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_more_connections_than_allowed_are_cut(tmp_path: Path) -> None:
    async with serving(tmp_path, max_connections=2) as path:
        held = [await asyncio.open_unix_connection(path) for _ in range(2)]
        assert await exchange(path, GET) == b""
        _, last = held.pop()
        last.close()
        await asyncio.sleep(0.05)
        assert b" 200 " in await exchange(path, GET)  # as many as allowed
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"no HTTP\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    ],
)
async def test_what_is_no_http_gets_no_words_of_the_servers_own(tmp_path: Path, sent: bytes) -> None:
    async with serving(tmp_path) as path:
        assert await exchange(path, sent) == b""


async def test_work_whose_callers_have_left_counts_until_it_is_done(tmp_path: Path) -> None:
    done = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await done.wait()
        await respond(send, 200, "text/plain", b"done")

    async with serving(tmp_path, max_connections=2, app=slow) as path:
        for _ in range(2):
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(GET)
            await asyncio.sleep(0.05)
            writer.transport.abort()
        assert await exchange(path, GET) == b""
        done.set()
        await asyncio.sleep(0.05)
        assert b" 200 " in await exchange(path, GET)
