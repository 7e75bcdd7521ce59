"""Every way to be slow ends within its (small, injected) deadline."""

import asyncio
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from strongroom.protocol.constants import MEDIA_SEALED_STREAM
from strongroom.protocol.problems import Problem
from tests.parent.support import (
    CANARY,
    HEADERS,
    POST,
    QUICK,
    REQUEST,
    Exchange,
    appliance,
    echo,
    eventually,
    gateway_to,
    observed_appliance,
    problem_of,
)

LIMITS = asdict(QUICK)
PATIENCE_S = 1.5  # the longest deadline of QUICK is 1 s


async def test_a_silent_connection_is_closed(tmp_path: Path) -> None:
    async with gateway_to(tmp_path, **LIMITS) as gateway:
        begun_s = time.monotonic()
        assert await (await gateway.raw()).rest() == b""
        assert time.monotonic() - begun_s < PATIENCE_S


@pytest.mark.parametrize("part", [b"G", b"GET / HT", b"GET / HTTP/1.1\r\nX: ", b"\r\n", HEADERS])
async def test_half_a_head_is_timed_out(tmp_path: Path, part: bytes) -> None:
    async with gateway_to(tmp_path, **LIMITS) as gateway:
        begun_s = time.monotonic()
        assert problem_of(await (await gateway.raw(part)).rest()) is Problem.TIMED_OUT
        assert time.monotonic() - begun_s < PATIENCE_S


async def test_a_head_that_drips_is_timed_out_all_the_same(tmp_path: Path) -> None:
    async with gateway_to(tmp_path, **LIMITS) as gateway:
        connection = await gateway.raw(b"GET / HTTP/1.1\r\n")
        dripping = asyncio.create_task(_drip(connection.writer, b"X: y\r\n"))
        assert problem_of(await connection.rest()) is Problem.TIMED_OUT
        dripping.cancel()


@pytest.mark.parametrize("framing", [b"Content-Length: 9\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
@pytest.mark.parametrize("enclave", ["there", "gone"])
async def test_half_a_body_is_timed_out(tmp_path: Path, framing: bytes, enclave: str) -> None:
    handlers = {"POST /v1/sealed": echo}
    async with (
        appliance(tmp_path, handlers, **LIMITS) if enclave == "there" else gateway_to(tmp_path, **LIMITS) as gateway
    ):
        connection = await gateway.raw(HEADERS + framing)
        assert problem_of(await connection.rest()) is Problem.TIMED_OUT


async def test_a_body_that_drips_is_timed_out_all_the_same(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}, **LIMITS) as gateway:
        connection = await gateway.raw(HEADERS + b"Content-Length: 100000\r\n\r\n")
        dripping = asyncio.create_task(_drip(connection.writer, b"."))
        assert problem_of(await connection.rest()) is Problem.TIMED_OUT
        dripping.cancel()


async def test_a_large_body_that_stops_is_timed_out_and_never_reaches_the_enclave(tmp_path: Path) -> None:
    async with observed_appliance(tmp_path, {"POST /v1/sealed": echo}, **LIMITS) as (gateway, enclave):
        connection = await gateway.raw(HEADERS + b"Content-Length: 200000\r\n\r\n" + REQUEST.ljust(100_000))
        assert problem_of(await connection.rest()) is Problem.TIMED_OUT
        assert "POST /v1/sealed" not in enclave.requests


async def test_an_answered_request_whose_body_never_ends_is_cut(tmp_path: Path) -> None:
    async with gateway_to(tmp_path, **LIMITS) as gateway:
        connection = await gateway.raw(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert problem_of(await connection.rest()) is Problem.NOT_FOUND


@pytest.mark.parametrize("rest", [b"123456789", b"123456789\r\n"])
async def test_a_body_that_ends_after_its_answer_leaves_an_idle_connection(tmp_path: Path, rest: bytes) -> None:
    async with gateway_to(tmp_path, **LIMITS) as gateway:
        connection = await gateway.raw(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert problem_of(await connection.reader.readuntil(b"}")) is Problem.NOT_FOUND
        await connection.send(rest)
        async with asyncio.timeout(2 * PATIENCE_S):
            assert await connection.rest() == b""


@pytest.mark.parametrize("head", [b"GET /", b"GET / HTTP/1.1\r\nX:"])
async def test_half_a_head_right_behind_such_a_body_is_timed_out(tmp_path: Path, head: bytes) -> None:
    async with gateway_to(tmp_path, **LIMITS) as gateway:
        connection = await gateway.raw(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert problem_of(await connection.reader.readuntil(b"}")) is Problem.NOT_FOUND
        await connection.send(b"123456789" + head)
        async with asyncio.timeout(PATIENCE_S):
            assert problem_of(await connection.rest()) is Problem.TIMED_OUT


async def test_an_idle_connection_is_closed_after_its_answer(tmp_path: Path) -> None:
    async with gateway_to(tmp_path, **LIMITS) as gateway:
        connection = await gateway.raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await connection.rest()).endswith(b'{"live":true}')


async def test_half_a_second_head_on_a_kept_connection_is_timed_out(tmp_path: Path) -> None:
    async with gateway_to(tmp_path, **LIMITS) as gateway:
        connection = await gateway.raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await connection.reader.readuntil(b'{"live":true}')
        await connection.send(b"GET /")
        assert problem_of(await connection.rest()) is Problem.TIMED_OUT


async def test_time_spent_on_the_answer_is_not_the_clients(tmp_path: Path) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.body()
        await asyncio.sleep(2 * QUICK.request_timeout_s)
        await exchange.answer(200, MEDIA_SEALED_STREAM, b"late")

    async with appliance(tmp_path, {"POST /v1/sealed": handler}, **LIMITS) as gateway:
        assert (await gateway.seal()).body == b"late"


async def test_a_client_that_never_reads_is_cut(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.body()
        await exchange.start(200, MEDIA_SEALED_STREAM)
        for _ in range(512):
            await exchange.chunk(bytes(64 << 10))
        await exchange.disconnected()
        gone.set()

    async with appliance(tmp_path, {"POST /v1/sealed": handler}, **LIMITS) as gateway:
        connection = await gateway.raw(POST)
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        async with asyncio.timeout(5):
            await gone.wait()
        connection.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 3_000 + b"\r\n",
        b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000,
        HEADERS + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: y\r\n" * 3_000 + b"\r\n",
        HEADERS + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"e" * 40_000,
    ],
    ids=["field", "fields", "target", "endless field", "trailers", "chunk extension"],
)
async def test_a_large_head_is_refused(tmp_path: Path, head: bytes) -> None:
    async with gateway_to(tmp_path) as gateway:
        assert problem_of(await (await gateway.raw(head)).rest()) is Problem.HEADERS_TOO_LARGE


async def test_an_endless_head_is_cut_long_before_its_deadline(tmp_path: Path) -> None:
    async with gateway_to(tmp_path, head_timeout_s=60) as gateway:
        connection = await gateway.raw(b"GET / HTTP/1.1\r\nX: ")
        pouring = asyncio.create_task(_drip(connection.writer, b"y" * 10_000))
        assert problem_of(await connection.rest()) is Problem.HEADERS_TOO_LARGE
        pouring.cancel()


async def test_a_head_just_below_the_limit_passes(tmp_path: Path) -> None:
    async with gateway_to(tmp_path) as gateway:
        reply = await gateway.get("/livez", headers={"X-Padding": "y" * 16_000})
        assert reply.status == 200


@pytest.mark.parametrize(
    "message",
    [
        b"\x16\x03\x01\x02\x00\x01",
        CANARY.encode() + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"CONNECT " + CANARY.encode() + b":1 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        HEADERS + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        HEADERS + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        HEADERS + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        HEADERS + b"Content-Length: -3\r\n\r\n",
        HEADERS + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_without_echo(tmp_path: Path, message: bytes) -> None:
    async with gateway_to(tmp_path) as gateway:
        answer = await (await gateway.raw(message)).rest()
        assert problem_of(answer) is Problem.INVALID_REQUEST
        assert CANARY.encode() not in answer
        assert b"x-content-type-options: nosniff" in answer


async def test_a_bad_chunk_ends_the_exchange(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}) as gateway:
        connection = await gateway.raw(HEADERS + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcZZ\r\n")
        assert problem_of(await connection.rest()) is Problem.INVALID_REQUEST


async def test_a_pipelined_request_is_dropped_and_the_answer_in_flight_kept(tmp_path: Path) -> None:
    asked = 0

    async def handler(exchange: Exchange) -> None:
        nonlocal asked
        asked += 1
        await exchange.body()
        await exchange.answer(200, MEDIA_SEALED_STREAM, b"the only answer")

    async with appliance(tmp_path, {"POST /v1/sealed": handler}) as gateway:
        connection = await gateway.raw(POST * 3)
        answer = await connection.rest()
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"the only answer" in answer
        assert asked == 1


async def test_connections_beyond_the_limit_are_told_busy(tmp_path: Path) -> None:
    async with gateway_to(tmp_path, max_connections=3) as gateway:
        kept = [await gateway.raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(3)]
        for connection in kept:
            assert await connection.reader.readuntil(b'{"live":true}')
        assert problem_of(await (await gateway.raw()).rest()) is Problem.BUSY
        kept.pop().close()
        await eventually(lambda: len(gateway.server.server_state.connections) == 2)
        again = await gateway.raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await again.reader.readuntil(b'{"live":true}')
        for connection in [*kept, again]:
            connection.close()


async def test_refused_connections_are_bounded_as_well(tmp_path: Path) -> None:
    async with gateway_to(tmp_path, max_connections=2) as gateway:
        admitted = [await gateway.raw() for _ in range(2)]
        refused = [await gateway.raw() for _ in range(2)]
        for connection in refused:
            assert problem_of(await connection.reader.readuntil(b"}")) is Problem.BUSY
        assert await (await gateway.raw()).rest() == b""
        assert len(gateway.server.server_state.connections) <= 4
        for connection in [*admitted, *refused]:
            connection.close()


async def test_good_clients_are_served_among_stalled_ones(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}) as gateway:
        stalled = [await gateway.raw(HEADERS + b"Content-Length: 9\r\n\r\n.") for _ in range(300)]
        async with asyncio.timeout(10):
            replies = await asyncio.gather(*(gateway.seal(REQUEST + b"%d" % number) for number in range(20)))
        assert [reply.body for reply in replies] == [REQUEST + b"%d" % number for number in range(20)]
        for connection in stalled:
            connection.close()


async def _drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    while not writer.is_closing():
        writer.write(data)
        await asyncio.sleep(0.01)
