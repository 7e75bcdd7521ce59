import asyncio
import contextlib
import errno
import gc
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.accepting import Places, accepting
from proxy.egress import EgressLimits
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.egress import ACCEPTED
from strongroom.transport.sockets import listen
from tests.proxy.bench import bench, destination, echo, eventually, nothing_unhandled, pinned


async def test_more_connections_than_allowed_are_closed_at_once(tmp_path: Path) -> None:
    limits = EgressLimits(max_connections=2)
    async with destination(echo) as port, bench(tmp_path, pinned(port), limits=limits) as at:
        kept = [await at.enclave() for _ in range(2)]
        assert [await enclave.ask() for enclave in kept] == [ACCEPTED] * 2
        assert await (await at.enclave()).line() == b""
        assert at.proxy.counters.places.refused == 1
        kept[0].writer.transport.abort()
        await eventually(lambda: at.proxy.counters.places.taken == 1)
        assert await (await at.enclave()).ask() == ACCEPTED


async def test_a_flood_beyond_the_limit_is_refused_while_the_kept_ones_go_on(tmp_path: Path) -> None:
    limits = EgressLimits(max_connections=20)
    async with destination(echo) as port, bench(tmp_path, pinned(port), limits=limits) as at:
        kept = [await at.enclave() for _ in range(20)]
        assert [await enclave.ask() for enclave in kept] == [ACCEPTED] * 20
        flood = [await at.enclave() for _ in range(300)]
        # Long before any deadline of the limits above: the refusal is prompt.
        async with asyncio.timeout(4):
            assert [await enclave.line() for enclave in flood] == [b""] * 300
        assert at.proxy.counters.places.refused == 300
        for enclave in kept:
            enclave.writer.write(b"x")
            assert await enclave.reader.read(1) == b"x"


@contextlib.asynccontextmanager
async def accepting_at(path: Path, places: Places) -> AsyncIterator[None]:
    async def greet(connection: socket.socket) -> None:
        await asyncio.get_running_loop().sock_sendall(connection, b"hello")

    async with nothing_unhandled(), accepting(listen(UnixAddress(path)), greet, places):
        yield


async def greeting(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ECONNABORTED, errno.EPROTO])
async def test_a_failed_accept_is_counted_and_tried_again(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, places, failures = asyncio.get_running_loop(), Places(1), 3
    accept = loop.sock_accept

    async def fails_first(listener: socket.socket) -> object:
        if places.errors < failures:
            raise OSError(number, "as the system says it")
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", fails_first)
    async with accepting_at(tmp_path / "socket", places):
        assert await greeting(tmp_path / "socket") == b"hello"
    assert places == Places(1, errors=failures)


async def test_accepting_does_not_keep_the_loop_from_those_that_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood: there always is one more connection to accept, without waiting."""
    loop, places = asyncio.get_running_loop(), Places(0)

    async def another(listener: socket.socket) -> tuple[socket.socket, None]:
        if places.refused >= 100_000:
            await loop.create_future()
        return listener.dup(), None

    monkeypatch.setattr(loop, "sock_accept", another)
    async with accepting_at(tmp_path / "socket", places):
        await asyncio.sleep(0.02)
        assert 0 < places.refused < 100_000


async def test_the_end_closes_all_that_is_still_served(tmp_path: Path) -> None:
    async def wait(connection: socket.socket) -> None:
        await asyncio.get_running_loop().create_future()

    places, listener = Places(2), listen(UnixAddress(tmp_path / "socket"))
    async with nothing_unhandled(), accepting(listener, wait, places):
        connections = [await asyncio.open_unix_connection(tmp_path / "socket") for _ in range(2)]
        await eventually(lambda: places.taken == 2)
    assert (places.taken, listener.fileno()) == (0, -1)
    for reader, writer in connections:
        assert await reader.read() == b""
        writer.close()


async def test_a_defect_in_serving_one_connection_costs_that_one_only(tmp_path: Path) -> None:
    async def serve(connection: socket.socket) -> None:
        if await asyncio.get_running_loop().sock_recv(connection, 1) == b"!":
            raise ZeroDivisionError

    places, unhandled = Places(1), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context["exception"]))
    async with accepting(listen(UnixAddress(tmp_path / "socket")), serve, places):
        for byte in (b"!", b"."):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
            writer.write(byte)
            assert await reader.read() == b""
            writer.close()
            await eventually(lambda: places.taken == 0)
    gc.collect()
    assert [type(error) for error in unhandled] == [ZeroDivisionError]  # seen, and not silent
