"""The endpoint on a loopback port or a UNIX socket: whom it answers, what it takes on, how it ends."""

import asyncio
import gzip
import json
import socket
import stat
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from strongroom.client.endpoint.limits import Limits
from strongroom.client.endpoint.listening import hosts_of, listen
from strongroom.client.errors import InvalidArgument
from strongroom.client.loop_thread import LoopThread
from strongroom.protocol.constants import PATH_SEALED
from tests.client.endpoint.conftest import NewSession
from tests.client.endpoint.serving import KEY, asked, connected, serving
from tests.client.fake_enclave import PIECES
from tests.client.fake_gateway import FakeGateway, Handler

CHAT = "/v1/chat/completions"
TEXT = "".join(PIECES)


def chat(**fields: object) -> bytes:
    return json.dumps({"model": "tiny-chat", "messages": [{"role": "user", "content": "Where?"}], **fields}).encode()


async def test_an_answer_whole_and_streamed(new_session: NewSession) -> None:
    async with serving(new_session()) as listener:
        status, body, headers = await asked(listener, CHAT, chat())
        assert (status, json.loads(body)["choices"][0]["message"]["content"]) == (200, TEXT)
        assert headers["x-request-id"] == json.loads(body)["id"]
        status, body, headers = await asked(listener, CHAT, chat(stream=True))
        assert (status, headers.get_content_type()) == (200, "text/event-stream")
        assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "evil.example"}, 421, "other-host"),
        ({"Host": "127.0.0.1"}, 421, "other-host"),
        ({"Origin": "http://127.0.0.1"}, 403, "browser"),
        ({"Origin": "null"}, 403, "browser"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "browser"),
        ({"Sec-Fetch-Site": "none"}, 403, "browser"),
        ({"Authorization": "Bearer "}, 401, "invalid-api-key"),
        ({"Authorization": "a key of some length"}, 401, "invalid-api-key"),
        ({"Authorization": "Basic a key of some length"}, 401, "invalid-api-key"),
        ({"Authorization": "Bearer A KEY OF SOME LENGTH"}, 401, "invalid-api-key"),
    ],
)
async def test_strangers_are_refused(
    new_session: NewSession, gateway: FakeGateway, headers: dict[str, str], status: int, code: str
) -> None:
    async with serving(new_session()) as listener:
        for path in (CHAT, "/v1/models", "/v2/health/live"):
            body = chat() if path == CHAT else None
            actual, told, _ = await asked(listener, path, body, headers)
            assert (actual, code in told.decode()) == (status, True)
    assert gateway.seen == []


async def test_strangers_are_refused_without_waiting_for_their_body(new_session: NewSession) -> None:
    async with serving(new_session()) as listener:
        host = listener.url.removeprefix("http://")
        with connected(listener) as stranger:
            stranger.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n".encode())
            assert b" 401 " in await asyncio.to_thread(stranger.recv, 1 << 12)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_the_case_of_a_scheme_says_nothing(new_session: NewSession, scheme: str) -> None:
    async with serving(new_session()) as listener:
        headers = {"Authorization": f"{scheme} {KEY}"}
        assert (await asked(listener, "/v2/health/live", headers=headers))[0] == 200


async def test_the_key_is_needed_only_if_there_is_one(new_session: NewSession) -> None:
    async with serving(new_session(), key=None) as listener:
        assert (await asked(listener, "/v2/health/live", headers={"Authorization": ""}))[0] == 200


@pytest.mark.parametrize(
    "address", ["0.0.0.0:80", "127.0.0.1", "127.0.0.1:65536", "127.0.0.2:80", "localhost:80", "[::]:80", ":80", "x"]
)
def test_nothing_listens_for_other_machines(address: str) -> None:
    with pytest.raises(InvalidArgument, match="it must stay local"):
        listen(address)


def test_callers_of_the_default_port_do_not_name_it() -> None:
    assert hosts_of(80) == ("127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost")
    assert hosts_of(8080) == ("127.0.0.1:8080", "localhost:8080")


async def test_a_unix_socket_is_its_owners_alone(new_session: NewSession, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with serving(new_session(), f"unix:{path}", key=None) as listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        status, body, _ = await asked(listener, CHAT, chat(), {"Host": "whatever"})
        assert (status, json.loads(body)["object"]) == (200, "chat.completion")
        with pytest.raises(OSError, match=f"in use: 'unix:{path}'"):
            listen(f"unix:{path}")
    assert not path.exists()


async def test_a_body_beyond_the_limit_or_the_deadline_is_refused(new_session: NewSession) -> None:
    async with serving(new_session(), limits=Limits(body_bytes=1000, body_s=0.2)) as listener:
        status, told, _ = await asked(listener, CHAT, b"x" * 1001)
        assert (status, json.loads(told)["error"]["code"]) == (413, "too-large")
        assert b"at most 1000 bytes, got 1001" in told
        with connected(listener) as counted:
            counted.sendall(_head(listener.url, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
            counted.sendall(b"3e9\r\n" + b"x" * 1001 + b"\r\n")
            assert b"at most 1000 bytes, got more" in await asyncio.to_thread(counted.recv, 1 << 12)
        with connected(listener) as slow:
            slow.sendall(_head(listener.url, 9))
            assert b" 408 " in await asyncio.to_thread(slow.recv, 1 << 12)


@pytest.mark.parametrize("fields", [["x: y"] * 64, [f"x: {'y' * 5000}"]], ids=["many", "long"])
async def test_a_head_is_bounded_whoever_asks(new_session: NewSession, fields: list[str]) -> None:
    async with serving(new_session()) as listener:
        for sent, status in ((fields, b" 400 "), ([each[:999] for each in fields[:60]], b" 200 ")):
            with connected(listener) as asking:
                more = "".join(f"{each}\r\n" for each in sent)
                asking.sendall(f"GET /v2/health/live HTTP/1.1\r\n{_headers(listener.url)}{more}\r\n".encode())
                assert status in await asyncio.to_thread(asking.recv, 1 << 12)


async def test_bodies_are_bounded_together_until_they_are_answered(
    new_session: NewSession, gateway: FakeGateway, world: LoopThread
) -> None:
    gateway.faults[PATH_SEALED] = gateway.stall
    async with serving(new_session(), limits=Limits(bodies_bytes=1000, grace_s=0.01)) as listener:
        with connected(listener) as first, connected(listener) as second:
            first.sendall(_head(listener.url, 600) + chat().ljust(600))
            await asyncio.to_thread(world.run, _soon(gateway.stalled))
            second.sendall(_head(listener.url, 600) + b" " * 300)
            status, told, headers = await asked(listener, CHAT, b" " * 200)
            assert (status, json.loads(told)["error"]["code"], headers["retry-after"]) == (503, "busy", "1")
            first.close()
            await asyncio.to_thread(world.run, _soon(gateway.gone))
            second.sendall(b" " * 300)
            assert b" 400 " in await asyncio.to_thread(second.recv, 1 << 12)
        assert (await asked(listener, CHAT, b" " * 1000))[0] == 400


async def test_whoever_waits_to_be_told_to_go_on_is_told(new_session: NewSession) -> None:
    async with serving(new_session()) as listener:
        with connected(listener) as asking, asking.makefile("rb") as told:
            body = chat()
            asking.sendall(_head(listener.url, len(body), "Expect: 100-continue\r\n"))
            assert await asyncio.to_thread(told.readline) == b"HTTP/1.1 100 Continue\r\n"
            asking.sendall(body)
            assert told.readline() == b"\r\n"
            assert await asyncio.to_thread(told.readline) == b"HTTP/1.1 200 OK\r\n"
        with connected(listener) as stranger, stranger.makefile("rb") as told:
            stranger.sendall(_head(listener.url, 9, "Expect: 100-continue\r\nOrigin: null\r\n"))
            assert (await asyncio.to_thread(told.readline)).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["silent", "half-a-head"])
async def test_whoever_asks_nothing_is_hung_up_on(new_session: NewSession, said: bytes) -> None:
    async with serving(new_session(), limits=Limits(idle_s=0.2)) as listener:
        with connected(listener) as idle:
            idle.sendall(said)
            assert await asyncio.to_thread(idle.recv, 1 << 12) == b""


async def test_connections_are_bounded(new_session: NewSession) -> None:
    async with serving(new_session(), limits=Limits(connections=1)) as listener:
        with connected(listener) as first:
            assert (await asyncio.to_thread(_live, first, listener.url)).startswith(b"HTTP/1.1 200")
            with connected(listener) as second:
                assert await asyncio.to_thread(second.recv, 1) == b""


async def test_connections_are_bounded_when_many_come_at_once(new_session: NewSession) -> None:
    async with serving(new_session(), limits=Limits(connections=2)) as listener, AsyncExitStack() as stack:
        made = [stack.enter_context(connected(listener)) for _ in range(8)]  # this loop cannot accept any meanwhile
        hung_up = [asyncio.create_task(asyncio.to_thread(each.recv, 1)) for each in made]
        done, _ = await asyncio.wait(hung_up, timeout=0.5)
        assert [each.result() for each in done] == [b""] * 6


async def test_a_packed_body_is_refused_as_it_is(new_session: NewSession, gateway: FakeGateway) -> None:
    async with serving(new_session()) as listener:
        for body in (gzip.compress(chat()), b"canary"):
            status, told, _ = await asked(listener, CHAT, body, {"Content-Encoding": "gzip"})
            assert (status, json.loads(told)["error"]["code"]) == (415, "encoded")
    assert gateway.seen == []


async def test_a_reader_that_goes_away_hangs_up_on_the_gateway(
    new_session: NewSession, gateway: FakeGateway, world: LoopThread
) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    async with serving(new_session()) as listener:
        with connected(listener) as leaving:
            await asyncio.to_thread(_begin_stream, leaving, listener.url)
        await asyncio.to_thread(world.run, _soon(gateway.gone))


async def test_a_reader_that_reads_nothing_is_hung_up_on(
    new_session: NewSession, gateway: FakeGateway, world: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.client.fake_enclave.PIECES", ["x" * 60_000] * 256)  # more than sockets hold
    gateway.faults[PATH_SEALED] = _leaving_a_word(gateway)
    async with serving(new_session(), limits=Limits(write_s=0.2, grace_s=0.01)) as listener:
        with connected(listener) as stuck:
            await asyncio.to_thread(_begin_stream, stuck, listener.url)
            await asyncio.to_thread(world.run, _soon(gateway.gone))
            assert not (await asyncio.to_thread(_read_all, stuck)).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_a_reader_of_a_whole_answer_that_reads_nothing_is_hung_up_on(new_session: NewSession) -> None:
    shape = [900_000]
    flags = {"name": "flags", "shape": shape, "datatype": "BOOL", "parameters": {"binary_data_size": shape[0]}}
    head = json.dumps({"inputs": [flags]}).encode()  # in JSON they come back six times as long
    async with serving(new_session(), limits=Limits(write_s=0.2)) as listener:
        with connected(listener) as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
            lengths = f"Inference-Header-Content-Length: {len(head)}\r\nContent-Length: {len(head) + shape[0]}\r\n"
            stuck.sendall(
                f"POST /v2/models/tiny-infer/infer HTTP/1.1\r\n{_headers(listener.url)}{lengths}\r\n".encode()
            )
            await asyncio.to_thread(stuck.sendall, head + bytes(shape[0]))
            assert (await asyncio.to_thread(stuck.recv, 12)) == b"HTTP/1.1 200"
            await asyncio.sleep(1)
            stuck.sendall(b"G")  # what it wrote before may still come, unless the other end must say that it is gone
            with pytest.raises(ConnectionResetError):
                _read_some(stuck)


async def test_what_is_under_way_ends_before_the_server_does(new_session: NewSession, gateway: FakeGateway) -> None:
    arrived = threading.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        await asyncio.sleep(0.3)
        return await gateway.sealed(request)

    gateway.faults[PATH_SEALED] = slow
    async with serving(new_session()) as listener:
        under_way = asyncio.create_task(asked(listener, CHAT, chat()))
        await asyncio.to_thread(arrived.wait, 5)
    assert (await under_way)[0] == 200


def _live(connection: socket.socket, url: str) -> bytes:
    connection.sendall(f"GET /v2/health/live HTTP/1.1\r\n{_headers(url)}\r\n".encode())
    return connection.recv(1 << 12)


def _begin_stream(connection: socket.socket, url: str) -> None:
    body = chat(stream=True)
    connection.sendall(_head(url, len(body)) + body)
    assert connection.recv(1 << 10).startswith(b"HTTP/1.1 200")


def _head(url: str, length: int, headers: str = "") -> bytes:
    return f"POST {CHAT} HTTP/1.1\r\n{_headers(url)}{headers}Content-Length: {length}\r\n\r\n".encode()


def _headers(url: str) -> str:
    return f"Host: {url.removeprefix('http://')}\r\nAuthorization: Bearer {KEY}\r\n"


def _read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 20), b""))


def _read_some(connection: socket.socket) -> None:
    for _ in range(64):
        connection.recv(1 << 12)


def _leaving_a_word(gateway: FakeGateway) -> Handler:
    """An honest answer, after which `gone` is set, whether it was taken or not."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await gateway.sealed(request)
        finally:
            gateway.gone.set()

    return handle


async def _soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await event.wait()
