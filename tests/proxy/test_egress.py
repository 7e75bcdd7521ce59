import asyncio
from pathlib import Path

import pytest

from proxy.counters import Outcome
from proxy.egress import EgressLimits
from strongroom.transport.egress import ACCEPTED, encode_destination
from tests.proxy.bench import KMS, LINE, bench, destination, echo, pinned


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"CONNECT 169.254.169.254:80\n",
        b"CONNECT [::1]:443\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"CONNECT " + b"a" * 300 + b":443\n",
        b"A" * 100_000,
        b"CONNECT kms",
        b"",
    ],
)
async def test_a_bad_or_missing_line_ends_the_connection(tmp_path: Path, line: bytes) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask(line) == b""
        await at.outcome(Outcome.MALFORMED)


async def test_a_line_cut_short_by_its_sender_is_malformed(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        enclave = await at.enclave()
        enclave.writer.write(b"CONNECT kms")
        enclave.writer.write_eof()
        assert await enclave.rest() == b""
        await at.outcome(Outcome.MALFORMED)


async def test_a_line_in_pieces_is_a_line(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port), limits=EgressLimits()) as at:
        enclave = await at.enclave()
        for byte in LINE:
            enclave.writer.write(bytes([byte]))
            await asyncio.sleep(0.001)
        assert await enclave.line() == ACCEPTED


async def test_a_line_has_its_time_however_often_a_byte_comes(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()

        async def drip() -> None:
            for byte in LINE:
                enclave.writer.write(bytes([byte]))
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await enclave.line() == b""
        dripping.cancel()
        await at.outcome(Outcome.MALFORMED)


async def test_bytes_right_behind_the_line_are_the_destinations(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        early = bytes(range(256)) * 4
        assert await enclave.ask(LINE + early) == ACCEPTED
        enclave.writer.write_eof()
        assert await enclave.rest() == early + b"<end>"
        assert at.proxy.counters.outbound_bytes == len(early)


async def test_another_destination_is_forbidden_and_never_dialled(tmp_path: Path) -> None:
    async def unexpected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("dialled")

    async with destination(unexpected) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask(encode_destination("s3.amazonaws.com", 443)) == b""
        await at.outcome(Outcome.FORBIDDEN)


async def test_several_destinations_are_served_each_by_its_own_rule(tmp_path: Path) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"other")

    async with (
        destination(echo) as kms,
        destination(other) as sts,
        bench(tmp_path, pinned(kms), pinned(sts, "sts.example")) as at,
    ):
        to_sts, to_kms = await at.enclave(), await at.enclave()
        assert await to_sts.ask(encode_destination("sts.example", 443)) == ACCEPTED
        assert await to_kms.ask(LINE + b"x") == ACCEPTED
        to_kms.writer.write_eof()
        assert (await to_sts.rest(), await to_kms.rest()) == (b"other", b"x<end>")


async def test_what_looks_like_a_redirect_is_only_bytes(tmp_path: Path) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n")

    async with destination(redirect) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        enclave.writer.write_eof()
        assert (await enclave.rest()).startswith(b"HTTP/1.1 302 Found")
        await at.outcome(Outcome.COMPLETED)


async def test_a_second_line_is_the_destinations(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        second = encode_destination(KMS, 80)
        assert await enclave.ask() == ACCEPTED
        await enclave.send_and_end(second)
        assert await enclave.rest() == second + b"<end>"
