"""A gateway that lies, redirects, tracks, stalls, drops or speaks no HTTP."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from strongroom.client.errors import (
    GatewayProblem,
    TimedOut,
    Unreachable,
)
from strongroom.client.session import AttestedSession
from strongroom.protocol.constants import (
    MEDIA_PROBLEM,
    MEDIA_SEALED_RESPONSE,
    PATH_MODELS,
    PATH_SEALED,
)
from strongroom.protocol.problems import Problem
from tests.client.asking import TASK, ask
from tests.client.conftest import NewSession
from tests.client.fake_gateway import FakeGateway, respond

STALE = Problem.STALE_KEY.to_bytes()
LIES: list[tuple[int, bytes, str | None]] = [
    (422, b"", MEDIA_PROBLEM),
    (422, STALE, "text/html"),
    (422, STALE[:-1], MEDIA_PROBLEM),
    (422, b"\xff\xfe", MEDIA_PROBLEM),
    (422, b'{"x":' + b"[" * 4000, MEDIA_PROBLEM),
    (422, b'{"type": "\xff"}', MEDIA_PROBLEM),
    (422, b'{"type": 7}', MEDIA_PROBLEM),
    (422, b'{"type": "urn:strongroom:problem:canary"}', MEDIA_PROBLEM),
    (422, Problem.BUSY.to_bytes(), MEDIA_PROBLEM),
    (422, STALE + b" " * (4 << 10), MEDIA_PROBLEM),
    (503, STALE, MEDIA_PROBLEM),
    (400, STALE, MEDIA_PROBLEM),
    (302, STALE, MEDIA_PROBLEM),
    (418, b"canary" * 1000, "text/plain"),
    (500, b"canary" * 1_000_000, MEDIA_PROBLEM),
]


@pytest.mark.parametrize("lie", LIES, ids=range(len(LIES)))
async def test_problems_that_are_none(
    session: AttestedSession, gateway: FakeGateway, lie: tuple[int, bytes, str | None]
) -> None:
    gateway.faults[PATH_SEALED] = respond(*lie)
    with pytest.raises(GatewayProblem) as caught:
        await ask(session)
    assert (caught.value.status, caught.value.problem) == (lie[0], None)
    assert "canary" not in str(caught.value)
    assert len(gateway.messages) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(session: AttestedSession, gateway: FakeGateway, status: int) -> None:
    gateway.faults[PATH_SEALED] = respond(status, Location="/elsewhere")
    with pytest.raises(GatewayProblem):
        await ask(session)
    assert "/elsewhere" not in gateway.seen


async def test_cookies_are_not_kept(new_session: NewSession, gateway: FakeGateway) -> None:
    returned = []

    async def track(request: web.BaseRequest) -> web.StreamResponse:
        returned.append("Cookie" in request.headers)
        response = await gateway.models(request)
        response.set_cookie("who", "me")
        return response

    gateway.faults[PATH_MODELS] = track
    session = new_session(url=gateway.url.replace("127.0.0.1", "localhost"))
    await session.models()
    await session.models()
    assert returned == [False, False]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_silent_gateway(new_session: NewSession, gateway: FakeGateway, stream: bool) -> None:
    gateway.faults[PATH_SEALED] = gateway.stall
    with pytest.raises(TimedOut):
        await ask(new_session(timeout_s=0.3), stream=stream)
    await asyncio.wait_for(gateway.gone.wait(), 5)
    assert len(gateway.messages) == 1


async def test_a_stream_that_falls_silent(new_session: NewSession, gateway: FakeGateway) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    with pytest.raises(TimedOut):
        await ask(new_session(timeout_s=0.3), stream=True)
    await asyncio.wait_for(gateway.gone.wait(), 5)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_trickle_does_not_extend_the_deadline(
    new_session: NewSession, gateway: FakeGateway, stream: bool
) -> None:
    async def trickle(request: web.BaseRequest) -> web.StreamResponse:
        answer = gateway.enclave.answer(gateway.messages[-1])
        response = web.StreamResponse(headers={"Content-Type": answer.media_type})
        await response.prepare(request)
        for byte in answer.to_bytes():
            await response.write(bytes([byte]))
            await asyncio.sleep(0.01)
        return response

    gateway.faults[PATH_SEALED] = trickle
    with pytest.raises(TimedOut):
        await ask(new_session(timeout_s=0.3), stream=stream)
    assert len(gateway.messages) == 1


async def test_a_connection_lost_before_the_answer_is_not_sent_again(
    session: AttestedSession, gateway: FakeGateway
) -> None:
    async def drop(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    gateway.faults[PATH_SEALED] = drop
    with pytest.raises(Unreachable):
        await ask(session)
    assert len(gateway.messages) == 1


RAW: dict[str, bytes] = {
    "no http": b"220 smtp ready\r\n\r\n",
    "binary": bytes(range(256)) * 8,
    "endless head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "many fields": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
    "bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "bad chunk": b"HTTP/1.1 200 OK\r\nContent-Type: " + MEDIA_SEALED_RESPONSE.encode()
    + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bad bytes in a field": b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xfe\x00\r\n\r\n",
    "bad status": b"HTTP/1.1 99999 OK\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", RAW)
async def test_a_server_that_speaks_no_http(new_session: NewSession, name: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(RAW[name])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    session = new_session(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises((Unreachable, GatewayProblem)):
        await session.attest()
    server.close()


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyError("mine")])
async def test_a_consumers_own_error_closes_the_connection(
    session: AttestedSession, gateway: FakeGateway, error: Any
) -> None:
    gateway.faults[PATH_SEALED] = gateway.send_then_stall
    events = session.stream("tiny-chat", TASK)
    await anext(events)
    with pytest.raises(type(error), match="mine"):
        await events.athrow(error)
    await asyncio.wait_for(gateway.gone.wait(), 5)
