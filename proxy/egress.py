"""The egress proxy: accepts an enclave's connection, connects it to the allowed destination that it names."""

import asyncio
import contextlib
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from dataclasses import dataclass

from proxy.counters import Counters, Outcome
from proxy.rules import AllowList, Forbidden
from proxy.tunnel import BUFFER_BYTES, Stream, join
from strongroom.transport.egress import ACCEPTED, parse_destination


@dataclass(frozen=True)
class EgressLimits:
    """Every bound of the proxy."""

    max_connections: int = 512
    destination_timeout_s: float = 5.0
    connect_timeout_s: float = 3.0
    """For resolving the name and connecting together."""
    idle_timeout_s: float = 60.0
    total_s: float = 3600.0


class EgressProxy:
    """Serves connections; `counters` tell what became of them."""

    def __init__(self, allow_list: AllowList, limits: EgressLimits | None = None) -> None:
        self._allow_list, self._limits = allow_list, limits or EgressLimits()
        self.counters = Counters()

    @contextlib.asynccontextmanager
    async def serving(self, listener: socket.socket) -> AsyncIterator[None]:
        """Accept on `listener` while the block runs; then close it and cut what is still open."""
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: StreamReader, writer: StreamWriter) -> None:
            task = asyncio.create_task(self._serve((reader, writer)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, sock=listener, limit=BUFFER_BYTES)
        try:
            yield
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, enclave: Stream) -> None:
        self.counters.active += 1
        try:
            async with _closing(enclave):
                self.counters.ended[await self._outcome(enclave)] += 1
        finally:
            self.counters.active -= 1

    async def _outcome(self, enclave: Stream) -> Outcome:
        if self.counters.active > self._limits.max_connections:
            return Outcome.FULL
        try:
            destination = await self._destination(enclave[0])
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return Outcome.MALFORMED
        try:
            remote = await self._connected(*destination)
        except Forbidden:
            return Outcome.FORBIDDEN
        except OSError:
            return Outcome.UNREACHABLE
        async with _closing(remote):
            return await self._carried(enclave, remote)

    async def _destination(self, reader: StreamReader) -> tuple[str, int]:
        async with asyncio.timeout(self._limits.destination_timeout_s):
            return parse_destination(await reader.readuntil(b"\n"))

    async def _connected(self, host: str, port: int) -> Stream:
        rule = self._allow_list.find(host, port)
        async with asyncio.timeout(self._limits.connect_timeout_s):
            if rule.pin is not None:
                return await _connect(rule.pin.address, rule.pin.port)
            # Connecting to the very address that was judged leaves no room for a second, different answer.
            return await _connect_first(self._allow_list.permitted(await _resolve(host, port)), port)

    async def _carried(self, enclave: Stream, remote: Stream) -> Outcome:
        limits = self._limits
        enclave[1].write(ACCEPTED)
        try:
            await join(enclave, remote, self.counters, idle_timeout_s=limits.idle_timeout_s, total_s=limits.total_s)
        except TimeoutError:
            outcome = Outcome.TIMED_OUT
        except OSError:
            outcome = Outcome.BROKEN
        else:
            return Outcome.COMPLETED
        for _, writer in (enclave, remote):
            writer.transport.abort()
        return outcome


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def _connect_first(addresses: list[str], port: int) -> Stream:
    """The first address that answers, in order; raise the last one's OSError."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return await _connect(address, port)
    return await _connect(addresses[-1], port)


async def _connect(address: str, port: int) -> Stream:
    # asyncio sets TCP_NODELAY on every TCP socket.
    return await asyncio.open_connection(address, port, limit=BUFFER_BYTES)


@contextlib.asynccontextmanager
async def _closing(stream: Stream) -> AsyncIterator[None]:
    """Close at the end, without waiting: drained writers that keep no buffer have nothing left to send."""
    writer = stream[1]
    writer.transport.set_write_buffer_limits(high=0)
    try:
        yield
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
