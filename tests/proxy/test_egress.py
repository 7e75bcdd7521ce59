import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import proxy.egress
from proxy.counters import Outcome
from proxy.egress import EgressLimits, EgressProxy
from proxy.rules import AllowList, Pin, Rule
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.egress import ACCEPTED, encode_destination
from strongroom.transport.sockets import listen

KMS = "kms.eu-west-1.amazonaws.com"
LINE = encode_destination(KMS, 443)
QUICK = EgressLimits(destination_timeout_s=0.2, connect_timeout_s=0.3, idle_timeout_s=0.3, total_s=2)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Enclave:
    """The enclave's end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, data: bytes = LINE) -> bytes:
        self.writer.write(data)
        return await self.line()

    async def line(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await self.reader.read(len(ACCEPTED))
        return b""

    async def rest(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                return await self.reader.read()
        return b""


@dataclass
class Bench:
    proxy: EgressProxy
    path: Path
    opened: list[asyncio.StreamWriter]

    async def enclave(self) -> Enclave:
        reader, writer = await asyncio.open_unix_connection(self.path)
        self.opened.append(writer)
        return Enclave(reader, writer)

    async def outcome(self, outcome: Outcome) -> None:
        await eventually(lambda: self.proxy.counters.ended[outcome] > 0)


async def eventually(holds: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fail after five seconds."""
    async with asyncio.timeout(5):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def destination(handler: Handler) -> AsyncIterator[int]:
    """A TCP server on loopback; its port."""

    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await handler(reader, writer)
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def bench(folder: Path, *rules: Rule, limits: EgressLimits = QUICK) -> AsyncIterator[Bench]:
    egress = EgressProxy(AllowList(rules), limits)
    opened: list[asyncio.StreamWriter] = []
    async with egress.serving(listen(UnixAddress(folder / "egress"))):
        yield Bench(egress, folder / "egress", opened)
        for writer in opened:
            writer.transport.abort()
    assert egress.counters.active == 0


def pinned(port: int) -> Rule:
    return Rule(KMS, 443, Pin("127.0.0.1", port))


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"<end>")
    await writer.drain()


async def test_bytes_pass_both_ways_and_half_close_is_kept(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        body = bytes(range(256)) * 4096
        sending = asyncio.create_task(_send_and_end(enclave, body))
        # The answer goes on after the enclave's own end: only a kept half-close lets `<end>` through.
        assert await enclave.rest() == body + b"<end>"
        await sending
        await at.outcome(Outcome.COMPLETED)
        assert (at.proxy.counters.outbound_bytes, at.proxy.counters.inbound_bytes) == (len(body), len(body) + 5)


async def _send_and_end(enclave: Enclave, body: bytes) -> None:
    enclave.writer.write(body)
    await enclave.writer.drain()
    enclave.writer.write_eof()


async def test_the_destinations_end_is_passed_on_while_the_enclave_goes_on(tmp_path: Path) -> None:
    received = asyncio.get_running_loop().create_future()

    async def ends_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.write_eof()
        received.set_result(await reader.read())

    async with destination(ends_first) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        assert await enclave.rest() == b"bye"
        await _send_and_end(enclave, b"still here")
        assert await received == b"still here"


async def test_bytes_right_behind_the_line_are_the_destinations(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask(LINE + b"early") == ACCEPTED
        enclave.writer.write_eof()
        assert await enclave.rest() == b"early<end>"


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


async def test_another_destination_is_forbidden_and_never_dialled(tmp_path: Path) -> None:
    async def unexpected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("dialled")

    async with destination(unexpected) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask(encode_destination("s3.amazonaws.com", 443)) == b""
        await at.outcome(Outcome.FORBIDDEN)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "10.0.0.1", "fd00:ec2::254"])
async def test_an_allowed_name_that_resolves_inside_is_forbidden(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        assert (host, port) == (KMS, 443)
        return [address]

    async def connect(address: str, port: int) -> None:
        raise AssertionError("dialled")

    monkeypatch.setattr(proxy.egress, "_resolve", resolve)
    monkeypatch.setattr(proxy.egress, "_connect", connect)
    async with bench(tmp_path, Rule(KMS, 443)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == b""
        await at.outcome(Outcome.FORBIDDEN)


async def test_localhost_by_name_is_forbidden_for_real(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, Rule("localhost", port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask(encode_destination("localhost", port)) == b""
        await at.outcome(Outcome.FORBIDDEN)


async def test_the_judged_address_is_the_one_dialled_and_the_next_one_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled = []

    async def resolve(host: str, port: int) -> list[str]:
        return ["52.94.0.1", "127.0.0.1", "52.94.0.2"]

    async def connect(address: str, port: int) -> None:
        dialled.append((address, port))
        raise ConnectionRefusedError

    monkeypatch.setattr(proxy.egress, "_resolve", resolve)
    monkeypatch.setattr(proxy.egress, "_connect", connect)
    async with bench(tmp_path, Rule(KMS, 443)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == b""
        await at.outcome(Outcome.UNREACHABLE)
    assert dialled == [("52.94.0.1", 443), ("52.94.0.2", 443)]


async def test_a_destination_that_refuses_or_never_answers_is_unreachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening
        async with bench(tmp_path, pinned(unused.getsockname()[1])) as at:
            assert await (await at.enclave()).ask() == b""
            await at.outcome(Outcome.UNREACHABLE)

    async def silence(address: str, port: int) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(proxy.egress, "_connect", silence)
    async with bench(tmp_path, pinned(1)) as at:
        assert await (await at.enclave()).ask() == b""
        await at.outcome(Outcome.UNREACHABLE)


async def test_silence_both_ways_is_cut(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        assert await enclave.rest() == b""
        await at.outcome(Outcome.TIMED_OUT)


async def test_movement_puts_off_the_idle_deadline_but_not_the_total_one(tmp_path: Path) -> None:
    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    limits = EgressLimits(idle_timeout_s=0.2, total_s=0.7)
    async with destination(talkative) as port, bench(tmp_path, pinned(port), limits=limits) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        assert len(await enclave.rest()) > 15  # went on well past the idle deadline
        await at.outcome(Outcome.TIMED_OUT)


async def test_bytes_of_either_side_put_off_the_idle_deadline(tmp_path: Path) -> None:
    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(16):
            pass

    async with destination(sink) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        for _ in range(30):
            enclave.writer.write(b".")
            await asyncio.sleep(0.02)
        enclave.writer.write_eof()
        await at.outcome(Outcome.COMPLETED)


async def test_an_enclave_that_stops_reading_is_cut_and_buffers_stay_bounded(tmp_path: Path) -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(bytes(1 << 16))
            await writer.drain()
            sent += 1 << 16

    async with destination(flood) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        enclave.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        await at.outcome(Outcome.TIMED_OUT)
        assert sent < 16 << 20


async def test_a_reset_is_passed_on_as_a_cut(tmp_path: Path) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with destination(reset) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask(LINE + b"x") == ACCEPTED
        await enclave.rest()
        await at.outcome(Outcome.BROKEN)


async def test_connections_to_destinations_do_not_wait_for_nagle() -> None:
    async with destination(echo) as port:
        _, writer = await proxy.egress._connect("127.0.0.1", port)
        connection = writer.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.transport.abort()


async def test_more_connections_than_allowed_are_closed(tmp_path: Path) -> None:
    limits = EgressLimits(max_connections=2)
    async with destination(echo) as port, bench(tmp_path, pinned(port), limits=limits) as at:
        kept = [await at.enclave() for _ in range(2)]
        assert [await enclave.ask() for enclave in kept] == [ACCEPTED] * 2
        assert await (await at.enclave()).line() == b""
        assert at.proxy.counters.ended[Outcome.FULL] == 1
        kept[0].writer.transport.abort()
        await eventually(lambda: at.proxy.counters.active == 1)
        assert await (await at.enclave()).ask() == ACCEPTED


async def test_20_good_connections_pass_among_300_stalled_ones(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port), limits=EgressLimits()) as at:
        stalled = [await at.enclave() for _ in range(300)]
        for enclave in stalled[::2]:
            enclave.writer.write(b"CONNECT kms")

        async def good(number: int) -> bytes:
            enclave = await at.enclave()
            assert await enclave.ask(LINE + b"%d" % number) == ACCEPTED
            enclave.writer.write_eof()
            return await enclave.rest()

        async with asyncio.timeout(10):
            answers = await asyncio.gather(*(good(number) for number in range(20)))
        assert answers == [b"%d<end>" % number for number in range(20)]
        assert at.proxy.counters.active >= 300
