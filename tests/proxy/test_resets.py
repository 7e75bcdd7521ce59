"""Peers that vanish, with a TCP reset, in every phase: an outcome, and never anything unhandled."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import proxy.dialling
from proxy.counters import Outcome
from proxy.egress import EgressProxy
from proxy.rules import AllowList, Rule
from strongroom.transport.egress import ACCEPTED
from tests.proxy.bench import LINE, QUICK, bench, destination, echo, eventually, nothing_unhandled, pinned, reset


@contextlib.asynccontextmanager
async def tcp_proxy(rule: Rule) -> AsyncIterator[tuple[EgressProxy, Callable[[], socket.socket]]]:
    """The proxy behind TCP in place of vsock, whose resets a UNIX socket does not know; and how to dial it."""
    egress = EgressProxy(AllowList((rule,)), QUICK)
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    async with nothing_unhandled(), egress.serving(listener):
        yield egress, lambda: socket.create_connection(address)


def ended_once(egress: EgressProxy) -> Outcome:
    [(outcome, count)] = egress.counters.ended.items()
    assert count == 1
    return outcome


@pytest.mark.parametrize(
    ("sent", "outcome"), [(b"", Outcome.MALFORMED), (LINE[:10], Outcome.MALFORMED), (LINE[:-1], Outcome.MALFORMED)]
)
async def test_an_enclave_that_resets_before_its_line_is_complete(sent: bytes, outcome: Outcome) -> None:
    async with destination(echo) as port, tcp_proxy(pinned(port)) as (egress, dial):
        connection = dial()
        connection.sendall(sent)
        await eventually(lambda: egress.counters.places.taken == 1)
        reset(connection)
        await eventually(lambda: egress.counters.ended.total() == 1)
        assert ended_once(egress) is outcome


async def test_an_enclave_that_resets_before_it_is_accepted() -> None:
    async with destination(echo) as port, tcp_proxy(pinned(port)) as (egress, dial):
        reset(dial())
        await eventually(lambda: egress.counters.ended.total() == 1)
        assert ended_once(egress) is Outcome.MALFORMED


async def test_an_enclave_that_resets_while_its_destination_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    real, dialling, gone = proxy.dialling.connect, asyncio.Event(), asyncio.Event()

    async def connect(address: str, port: int) -> socket.socket:
        dialling.set()
        await gone.wait()
        return await real(address, port)

    monkeypatch.setattr(proxy.dialling, "connect", connect)
    async with destination(echo) as port, tcp_proxy(pinned(port)) as (egress, dial):
        connection = dial()
        connection.sendall(LINE)
        await dialling.wait()
        reset(connection)
        gone.set()
        await eventually(lambda: egress.counters.ended.total() == 1)
        assert ended_once(egress) is Outcome.BROKEN


@pytest.mark.parametrize("body", [b"", b"x" * 100_000])
async def test_an_enclave_that_resets_while_bytes_are_under_way(body: bytes) -> None:
    async with destination(echo) as port, tcp_proxy(pinned(port)) as (egress, dial):
        connection = dial()
        connection.sendall(LINE + body)
        await eventually(lambda: egress.counters.outbound_bytes > 0 or not body)
        await asyncio.sleep(0.02)
        reset(connection)
        await eventually(lambda: egress.counters.ended.total() == 1)
        assert ended_once(egress) is Outcome.BROKEN


@pytest.mark.parametrize("wanted", [0, 1, 100_000])
async def test_a_destination_that_resets(tmp_path: Path, wanted: int) -> None:
    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = 0
        while received < wanted:
            received += len(await reader.read(1 << 16))
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with destination(resets) as port, bench(tmp_path, pinned(port)) as at:
        enclave = await at.enclave()
        assert await enclave.ask(LINE + bytes(200_000)) == ACCEPTED
        await enclave.rest()
        await at.outcome(Outcome.BROKEN)


async def test_a_cut_reaches_the_destination_as_a_reset() -> None:
    """A deadline or a vanished enclave must not look like an end that somebody meant."""
    seen = asyncio.get_running_loop().create_future()

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen.set_result(await reader.read())
        except ConnectionResetError as error:
            seen.set_exception(error)

    async with destination(watch) as port, tcp_proxy(pinned(port)) as (_, dial):
        connection = dial()
        connection.sendall(LINE)
        with pytest.raises(ConnectionResetError):
            await seen
        connection.close()
