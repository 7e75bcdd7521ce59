"""The proxy on the test's own event loop, the enclave's end of its connections, and destinations on loopback."""

import asyncio
import contextlib
import gc
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.counters import Outcome
from proxy.egress import EgressLimits, EgressProxy
from proxy.rules import AllowList, Pin, Rule
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.egress import ACCEPTED, encode_destination
from strongroom.transport.sockets import listen

KMS = "kms.eu-west-1.amazonaws.com"
LINE = encode_destination(KMS, 443)
QUICK = EgressLimits(destination_timeout_s=0.2, connect_timeout_s=0.3, idle_timeout_s=0.3, total_timeout_s=2)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Enclave:
    """The enclave's end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, data: bytes = LINE) -> bytes:
        """Send, and give the proxy's answer: `OK`, or nothing when it closed the connection."""
        self.writer.write(data)
        return await self.line()

    async def line(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                return await self.reader.read(len(ACCEPTED))
        return b""

    async def rest(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                return await self.reader.read()
        return b""

    async def send_and_end(self, body: bytes) -> None:
        self.writer.write(body)
        await self.writer.drain()
        self.writer.write_eof()


@dataclass
class Bench:
    proxy: EgressProxy
    address: UnixAddress
    opened: list[asyncio.StreamWriter]

    async def enclave(self) -> Enclave:
        reader, writer = await asyncio.open_unix_connection(self.address.path)
        self.opened.append(writer)
        return Enclave(reader, writer)

    async def outcome(self, outcome: Outcome) -> None:
        """Wait until a connection ended so."""
        await eventually(lambda: self.proxy.counters.ended[outcome] > 0)


async def eventually(holds: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fail after five seconds."""
    async with asyncio.timeout(5):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def nothing_unhandled() -> AsyncIterator[None]:
    """Fail when anything reaches the event loop's exception handler, whose last resort is standard error."""
    unhandled: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    yield
    await asyncio.sleep(0)
    gc.collect()
    loop.set_exception_handler(None)
    assert unhandled == []


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
    egress, address = EgressProxy(AllowList(rules), limits), UnixAddress(folder / "egress")
    opened: list[asyncio.StreamWriter] = []
    async with nothing_unhandled():
        async with egress.serving(listen(address)):
            yield Bench(egress, address, opened)
            for writer in opened:
                writer.transport.abort()
        assert egress.counters.places.taken == 0


def pinned(port: int, host: str = KMS) -> Rule:
    return Rule(host, 443, Pin("127.0.0.1", port))


def reset(connection: socket.socket) -> None:
    """Close so that the peer gets a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"<end>")
    await writer.drain()


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes(1 << 16))
        await writer.drain()
