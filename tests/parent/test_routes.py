import asyncio
from pathlib import Path

import aiohttp
import pytest

from strongroom.protocol.constants import (
    MEDIA_ATTESTATION,
    MEDIA_EVIDENCE,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
)
from strongroom.protocol.problems import Problem
from tests.parent.support import (
    CANARY,
    HEADERS,
    POST,
    REQUEST,
    SEALED,
    Exchange,
    appliance,
    echo,
    eventually,
    evidence_of,
    fixed,
    gateway_to,
    observed_appliance,
    refusing,
)

NONCE = "ab" * 32
DIGEST = "0f" * 48
EVIDENCE = evidence_of(b"some key")


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        (f"/v1/attestation?nonce={NONCE}", MEDIA_ATTESTATION, b"\x84document"),
        ("/v1/attestation", MEDIA_ATTESTATION, b"\x84recent"),
        (f"/v1/evidence?nonce={NONCE}", MEDIA_EVIDENCE, EVIDENCE),
        ("/v1/evidence", MEDIA_EVIDENCE, EVIDENCE),
        (f"/v1/evidence/{DIGEST}", MEDIA_EVIDENCE, EVIDENCE),
        ("/v1/models", "application/json", b'{"models":[]}'),
    ],
)
async def test_gets_pass_unchanged(tmp_path: Path, path: str, media_type: str, body: bytes) -> None:
    async def handler(exchange: Exchange) -> None:
        asked = exchange.scope["path"] + ("?" + exchange.scope["query_string"].decode()).rstrip("?")
        await exchange.answer(200, media_type, body if asked == path else b"another question")

    async with appliance(tmp_path, {f"GET {path.partition('?')[0]}": handler}) as gateway:
        reply = await gateway.get(path)
        assert (reply.status, reply.headers["Content-Type"], reply.body) == (200, media_type, body)


@pytest.mark.parametrize(
    "query",
    [
        "nonce=",
        "nonce=ab",
        f"nonce={'ab' * 15}",
        f"nonce={'ab' * 65}",
        f"nonce={'g' * 64}",
        f"nonce={NONCE}a",
        f"nonce={NONCE}&nonce={NONCE}",
        f"nonce={NONCE}%0a",
        f"nonce={NONCE}&x={CANARY}",
        f"other={CANARY}",
    ],
)
async def test_bad_nonces_never_reach_the_enclave(tmp_path: Path, query: str) -> None:
    async with gateway_to(tmp_path) as gateway:
        reply = await gateway.get("/v1/attestation?" + query)
        assert reply.problem is Problem.INVALID_REQUEST


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1 << 20, 16 << 20])
async def test_a_sealed_request_and_its_response_pass_byte_for_byte(tmp_path: Path, size: int) -> None:
    body = (REQUEST + bytes(range(256)) * (size // 256) + b"x" * (size % 256))[: max(size, len(REQUEST))]
    async with appliance(tmp_path, {"POST /v1/sealed": echo}) as gateway:
        reply = await gateway.seal(body)
        assert (reply.status, reply.headers["Content-Type"]) == (200, MEDIA_SEALED_RESPONSE)
        assert reply.body == body


async def test_a_chunked_upload_passes(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}) as gateway:
        connection = await gateway.raw(
            HEADERS + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"%x\r\n" % len(REQUEST) + REQUEST + b"\r\n",
        )
        for _ in range(4):
            await connection.send(b"8000\r\n" + b"\xff" * 0x8000 + b"\r\n")
        await connection.send(b"0\r\n\r\n")
        answer = await connection.rest()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.partition(b"\r\n\r\n")[2].count(b"\xff") == 4 * 0x8000


async def test_a_stream_passes_chunk_by_chunk(tmp_path: Path) -> None:
    seen = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.body()
        await exchange.start(200, MEDIA_SEALED_STREAM)
        for chunk in (b"first", b"second", b"third"):
            await exchange.chunk(chunk)
            await seen.wait()  # the next chunk is made only after the client has seen this one
            seen.clear()
        await exchange.chunk(b"", more=False)

    async with (
        appliance(tmp_path, {"POST /v1/sealed": handler}) as gateway,
        gateway.session.post(
            gateway.url + "/v1/sealed",
            data=REQUEST,
            headers={"Content-Type": "application/vnd.strongroom.sealed-request"},
        ) as response,
    ):
        assert response.headers["Content-Type"] == MEDIA_SEALED_STREAM
        for expected in (b"first", b"second", b"third"):
            async with asyncio.timeout(5):
                assert await response.content.readany() == expected
            seen.set()
        assert await response.content.readany() == b""


async def test_a_slow_reader_holds_the_enclave_back(tmp_path: Path) -> None:
    sent = 0

    async def handler(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.body()
        await exchange.start(200, MEDIA_SEALED_STREAM)
        for _ in range(1024):
            await exchange.chunk(bytes(64 << 10))
            sent += 64 << 10

    async with appliance(tmp_path, {"POST /v1/sealed": handler}) as gateway:
        connection = await gateway.raw(POST)
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        before = -1
        while sent != before or not sent:
            before = sent
            await asyncio.sleep(0.1)
        connection.close()
        assert 0 < sent < 32 << 20  # kernel buffers and one buffer per hop, not the 64 MiB of the answer


async def test_a_client_that_leaves_ends_the_exchange(tmp_path: Path) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.body()
        started.set()
        await exchange.disconnected()
        ended.set()

    async with appliance(tmp_path, {"POST /v1/sealed": handler}) as gateway:
        request = asyncio.create_task(gateway.seal())
        await started.wait()
        request.cancel()
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_client_that_leaves_mid_stream_ends_the_exchange(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.body()
        await exchange.start(200, MEDIA_SEALED_STREAM)
        await exchange.chunk(b"first")
        await exchange.disconnected()
        ended.set()

    async with appliance(tmp_path, {"POST /v1/sealed": handler}) as gateway:
        connection = await gateway.raw(POST)
        assert b"200" in await connection.reader.readline()
        connection.close()
        async with asyncio.timeout(5):
            await ended.wait()


async def test_half_an_upload_never_reaches_the_enclave(tmp_path: Path) -> None:
    async with observed_appliance(tmp_path, {"POST /v1/sealed": echo}) as (gateway, enclave):
        connection = await gateway.raw(
            HEADERS + b"Transfer-Encoding: chunked\r\n\r\n",
            b"%x\r\n" % len(REQUEST) + REQUEST + b"\r\n",
            b"20000\r\n" + bytes(0x20000) + b"\r\n",
        )
        await asyncio.sleep(0.1)
        connection.close()
        await eventually(lambda: not gateway.server.server_state.tasks)
        assert "POST /v1/sealed" not in enclave.requests


@pytest.mark.parametrize(
    "problem", [Problem.REJECTED, Problem.REPLAYED, Problem.TOO_LARGE, Problem.STALE_KEY, Problem.BUSY]
)
async def test_the_enclaves_problems_pass(tmp_path: Path, problem: Problem) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": refusing(problem)}) as gateway:
        reply = await gateway.seal()
        assert reply.problem is problem
        assert ("Retry-After" in reply.headers) == (problem.status == 503)


@pytest.mark.parametrize(
    ("status", "media_type", "body"),
    [
        (200, "text/plain", CANARY.encode()),
        (200, "", b""),
        (204, MEDIA_SEALED_RESPONSE, b""),
        (302, MEDIA_SEALED_RESPONSE, b""),
        (401, "application/problem+json", CANARY.encode()),
        (500, "text/plain", b"Traceback " + CANARY.encode()),
        (500, "text/plain", bytes(1 << 20)),
    ],
)
async def test_answers_outside_the_contract_are_the_gateways_502(
    tmp_path: Path, status: int, media_type: str, body: bytes
) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": fixed(status, media_type, body)}) as gateway:
        reply = await gateway.seal()
        assert reply.problem is Problem.ENCLAVE_UNREACHABLE
        assert CANARY.encode() not in reply.body


async def test_the_enclaves_words_never_pass_only_its_statuses(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": fixed(503, "text/plain", CANARY.encode())}) as gateway:
        assert (await gateway.seal()).problem is Problem.BUSY


async def test_an_oversized_document_is_not_carried(tmp_path: Path) -> None:
    handlers = {"GET /v1/attestation": fixed(200, MEDIA_ATTESTATION, bytes((32 << 10) + 1))}
    async with appliance(tmp_path, handlers) as gateway:
        assert (await gateway.get("/v1/attestation")).problem is Problem.ENCLAVE_UNREACHABLE


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/evidence"), ("GET", "/v1/models"), ("POST", "/v1/sealed")])
async def test_a_dead_enclave_is_502(tmp_path: Path, method: str, path: str) -> None:
    async with gateway_to(tmp_path) as gateway:
        reply = await gateway.request(method, path, headers=SEALED, data=REQUEST if method == "POST" else None)
        assert reply.problem is Problem.ENCLAVE_UNREACHABLE


async def test_an_enclave_that_dies_mid_stream_truncates_the_answer(tmp_path: Path) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.body()
        await exchange.start(200, MEDIA_SEALED_STREAM)
        await exchange.chunk(b"first")

    async with appliance(tmp_path, {"POST /v1/sealed": handler}) as gateway:
        with pytest.raises(aiohttp.ClientPayloadError):
            await gateway.seal()
        metrics = (await gateway.get("/metrics")).body.decode()
        assert 'strongroom_gateway_enclave_failures_total{kind="unreachable"} 1.0' in metrics


async def test_a_slow_enclave_is_504(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": Exchange.disconnected}, enclave_timeout_s=0.2) as gateway:
        assert (await gateway.seal()).problem is Problem.ENCLAVE_TIMED_OUT


async def test_more_exchanges_than_allowed_wait_for_their_turn_and_are_busy_then(tmp_path: Path) -> None:
    started = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.body()
        started.set()
        await exchange.disconnected()

    async with appliance(tmp_path, {"POST /v1/sealed": handler}, max_exchanges=1, turn_timeout_s=0.05) as gateway:
        first = asyncio.create_task(gateway.seal())
        await started.wait()
        refused = await gateway.seal()
        assert refused.problem is Problem.BUSY
        assert refused.headers["Retry-After"] == "1"
        first.cancel()
