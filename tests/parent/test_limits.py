from pathlib import Path

import pytest

from strongroom.protocol.problems import Problem
from tests.parent.support import (
    HEADERS,
    POST,
    REQUEST,
    SEALED,
    appliance,
    echo,
    gateway_to,
    observed_appliance,
    problem_of,
)

MAX = 100_000


@pytest.mark.parametrize("length", [b"%d" % (MAX + 1), b"1073741824"])
async def test_a_declared_length_beyond_the_limit_is_refused_before_any_byte(tmp_path: Path, length: bytes) -> None:
    async with gateway_to(tmp_path, max_body_bytes=MAX) as gateway:
        connection = await gateway.raw(HEADERS + b"Content-Length: " + length + b"\r\n\r\n")
        head = await connection.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 ")
        assert await connection.reader.readexactly(len(Problem.TOO_LARGE.to_bytes())) == Problem.TOO_LARGE.to_bytes()
        connection.close()


async def test_a_chunked_body_is_refused_at_the_limit_and_never_reaches_the_enclave(tmp_path: Path) -> None:
    async with observed_appliance(tmp_path, {"POST /v1/sealed": echo}, max_body_bytes=MAX) as (gateway, enclave):
        connection = await gateway.raw(HEADERS + b"Transfer-Encoding: chunked\r\n\r\n")
        await connection.send(b"14000\r\n" + REQUEST.ljust(0x14000) + b"\r\n")
        await connection.send(b"14000\r\n" + bytes(0x14000) + b"\r\n")
        answer = await connection.reader.readuntil(b"}")
        assert problem_of(answer) is Problem.TOO_LARGE
        assert "POST /v1/sealed" not in enclave.requests
        connection.close()


async def test_what_follows_a_refusal_is_dropped_and_the_connection_lives_on(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}, max_body_bytes=MAX) as gateway:
        connection = await gateway.raw(HEADERS + b"Content-Length: 4000000\r\n\r\n")
        assert problem_of(await connection.reader.readuntil(b"}")) is Problem.TOO_LARGE
        await connection.send(bytes(4_000_000))
        await connection.send(POST)
        assert (await connection.reader.readuntil(REQUEST)).startswith(b"HTTP/1.1 200 ")
        connection.close()


async def test_a_body_of_exactly_the_limit_passes(tmp_path: Path) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}, max_body_bytes=MAX) as gateway:
        assert (await gateway.seal(REQUEST.ljust(MAX))).body == REQUEST.ljust(MAX)
        assert (await gateway.seal(bytes(MAX + 1))).problem is Problem.TOO_LARGE


@pytest.mark.parametrize("length", [b"%d", b"%d  ", b"000%d"])
async def test_a_length_passes_as_the_parser_allows_it_to_be_written(tmp_path: Path, length: bytes) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}) as gateway:
        connection = await gateway.raw(
            HEADERS + b"Connection: close\r\nContent-Length: " + length % len(REQUEST) + b"\r\n\r\n" + REQUEST
        )
        answer = await connection.rest()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert REQUEST in answer


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "application/vnd.strongroom.sealed-request; charset=utf-8"},
        {"Content-Type": "application/vnd.strongroom.sealed-response"},
        {**SEALED, "Content-Encoding": "gzip"},
        {**SEALED, "Content-Encoding": "identity"},
    ],
)
async def test_another_media_type_is_415(tmp_path: Path, headers: dict[str, str]) -> None:
    async with appliance(tmp_path, {"POST /v1/sealed": echo}) as gateway:
        reply = await gateway.request("POST", "/v1/sealed", data=REQUEST, headers=headers)
        assert reply.problem is Problem.UNSUPPORTED_MEDIA_TYPE
