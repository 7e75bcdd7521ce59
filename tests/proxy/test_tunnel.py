import asyncio
import socket
import time
from pathlib import Path

import pytest

from proxy.accepting import Places
from proxy.counters import Counters, Outcome
from proxy.egress import EgressLimits
from proxy.tunnel import join
from strongroom.transport.egress import ACCEPTED
from tests.proxy.bench import bench, destination, echo, eventually, pinned


async def test_bytes_pass_both_ways_and_half_close_is_kept(tmp_path: Path) -> None:
    async with destination(echo) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        body = bytes(range(256)) * 4096
        sending = asyncio.create_task(enclave.send_and_end(body))
        # The answer goes on after the enclave's own end: only a kept half-close lets `<end>` through.
        assert await enclave.rest() == body + b"<end>"
        await sending
        await at.outcome(Outcome.COMPLETED)
        assert (at.proxy.counters.outbound_bytes, at.proxy.counters.inbound_bytes) == (len(body), len(body) + 5)


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
        await enclave.send_and_end(b"still here")
        assert await received == b"still here"
        await at.outcome(Outcome.COMPLETED)


async def send_on(connection: socket.socket) -> None:
    for _ in range(100):
        await asyncio.get_running_loop().sock_sendall(connection, b"late")
        await asyncio.sleep(0.01)


async def test_a_long_tail_arrives_although_its_sender_has_closed_and_takes_no_more(tmp_path: Path) -> None:
    """What the destination sent before it closed is the enclave's, whatever the enclave sends too late."""
    loop = asyncio.get_running_loop()
    enclave, enclaves_end = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as server:
        remote = socket.create_connection(server.getsockname())
        destinations_end, _ = server.accept()
    with enclave, enclaves_end, remote, destinations_end:
        for end in (enclave, enclaves_end, remote):
            end.setblocking(False)
        enclave.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # so that the tail waits in the proxy
        tail = bytes(range(256)) * 128
        destinations_end.sendall(tail)
        destinations_end.close()
        counters = Counters(Places(1))
        joined = asyncio.create_task(join(enclave, remote, counters, early=b"", idle_timeout_s=5, total_s=5))
        with pytest.raises(BrokenPipeError):  # the enclave learns it
            await send_on(enclaves_end)
        assert counters.inbound_bytes < len(tail)
        received = b""
        while part := await loop.sock_recv(enclaves_end, 1 << 16):
            received += part
        assert received == tail
        with pytest.raises(BrokenPipeError):
            await joined


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

    limits = EgressLimits(idle_timeout_s=0.2, total_timeout_s=0.7)
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


async def test_half_a_connection_does_not_outlive_the_idle_deadline(tmp_path: Path) -> None:
    async def never_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await asyncio.get_running_loop().create_future()

    async with destination(never_ends) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        enclave.writer.write_eof()
        assert await enclave.rest() == b""
        await at.outcome(Outcome.TIMED_OUT)


async def test_an_enclave_that_stops_reading_is_cut_and_buffers_stay_bounded(tmp_path: Path) -> None:
    sent, was_reset = 0, asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        try:
            while True:
                writer.write(bytes(1 << 16))
                await writer.drain()
                sent += 1 << 16
        except ConnectionResetError:
            was_reset.set()

    async with destination(flood) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        enclave.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        await at.outcome(Outcome.TIMED_OUT)
        await eventually(was_reset.is_set)
        assert sent < 16 << 20


async def test_a_destination_that_stops_reading_is_cut_and_buffers_stay_bounded(tmp_path: Path) -> None:
    async def never_reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport that reads, too
        await asyncio.get_running_loop().create_future()

    async with destination(never_reads) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask() == ACCEPTED
        enclave.writer.write(bytes(32 << 20))
        await at.outcome(Outcome.TIMED_OUT)
        assert 0 < at.proxy.counters.outbound_bytes < 16 << 20


async def test_one_fast_transfer_does_not_stop_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that always has data, and one that always takes it: no call waits, and yet the deadline comes."""
    calls = 0

    async def endless(source: socket.socket, buffer: memoryview) -> int:
        nonlocal calls
        calls += 1
        return 1 if calls < 1_000_000 else 0

    async def swallow(sink: socket.socket, data: memoryview) -> None: ...

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "sock_recv_into", endless)
    monkeypatch.setattr(loop, "sock_sendall", swallow)
    one, other = socket.socketpair()
    with one, other, pytest.raises(TimeoutError):
        await join(one, other, Counters(Places(1)), early=b"", idle_timeout_s=5, total_s=0.1)
    assert calls < 1_000_000


async def test_a_byte_in_the_moment_of_the_idle_deadline_is_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio refuses to put off a deadline that is just passing; bytes may come at any moment."""
    loop = asyncio.get_running_loop()
    deadline = loop.create_future()

    async def at_the_deadline(source: socket.socket, buffer: memoryview) -> int:
        await deadline
        return 1

    async def swallow(sink: socket.socket, data: memoryview) -> None: ...

    monkeypatch.setattr(loop, "sock_recv_into", at_the_deadline)
    monkeypatch.setattr(loop, "sock_sendall", swallow)
    one, other = socket.socketpair()
    # The loop is held up, so that bytes and deadline fall into one turn of it, the bytes first.
    loop.call_later(0.05, time.sleep, 0.1)
    loop.call_later(0.09, deadline.set_result, None)
    with one, other, pytest.raises(TimeoutError):
        await join(one, other, Counters(Places(1)), early=b"", idle_timeout_s=0.1, total_s=5)
