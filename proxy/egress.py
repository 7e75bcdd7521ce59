"""The egress proxy: accepts an enclave's connection, connects it to the allowed destination that it names."""

import asyncio
import socket
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from proxy.accepting import Places, accepting
from proxy.counters import Counters, Outcome
from proxy.dialling import Dialler
from proxy.rules import AllowList, Forbidden
from proxy.tunnel import join
from strongroom.transport.egress import ACCEPTED, MAX_DESTINATION_BYTES, parse_destination

_RESET_ON_CLOSE = b"\1\0\0\0\0\0\0\0"
"""struct linger: on, for no time (socket(7))."""


@dataclass(frozen=True)
class EgressLimits:
    """Every bound of the proxy."""

    max_connections: int = 512
    destination_timeout_s: float = 5.0
    connect_timeout_s: float = 3.0
    """For resolving the name and connecting together."""
    idle_timeout_s: float = 60.0
    total_timeout_s: float = 3600.0


class EgressProxy:
    """Serves connections; `counters` tell what became of them."""

    def __init__(self, allow_list: AllowList, limits: EgressLimits | None = None) -> None:
        self._limits = limits or EgressLimits()
        self._dialler = Dialler(allow_list, self._limits.connect_timeout_s)
        self.counters = Counters(Places(self._limits.max_connections))

    def serving(self, listener: socket.socket) -> AbstractAsyncContextManager[None]:
        """Accept on `listener` while the block runs; then close it and cut what is still open."""
        return accepting(listener, self._serve, self.counters.places)

    async def _serve(self, enclave: socket.socket) -> None:
        self.counters.ended[await self._outcome(enclave)] += 1

    async def _outcome(self, enclave: socket.socket) -> Outcome:
        try:
            async with asyncio.timeout(self._limits.destination_timeout_s):
                line, early = await _first_line(enclave)
            destination = parse_destination(line)
        except (OSError, ValueError):
            return Outcome.MALFORMED
        try:
            remote = await self._dialler.connect(*destination)
        except Forbidden:
            return Outcome.FORBIDDEN
        except OSError:
            return Outcome.UNREACHABLE
        with remote:
            return await self._carried(enclave, remote, early)

    async def _carried(self, enclave: socket.socket, remote: socket.socket, early: bytes) -> Outcome:
        limits = self._limits
        try:
            await asyncio.get_running_loop().sock_sendall(enclave, ACCEPTED)
            await join(
                enclave,
                remote,
                self.counters,
                early=early,
                idle_timeout_s=limits.idle_timeout_s,
                total_s=limits.total_timeout_s,
            )
        except OSError as error:
            # What is cut must not look ended, and the system must not go on sending what nobody reads.
            remote.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            return Outcome.TIMED_OUT if isinstance(error, TimeoutError) else Outcome.BROKEN
        return Outcome.COMPLETED


async def _first_line(connection: socket.socket) -> tuple[bytes, bytes]:
    """The bytes up to the first LF, and those that came right behind it; without an LF, as many as a line may have."""
    received = b""
    while b"\n" not in received and len(received) < MAX_DESTINATION_BYTES:
        part = await asyncio.get_running_loop().sock_recv(connection, MAX_DESTINATION_BYTES - len(received))
        if not part:
            break
        received += part
    line, end, early = received.partition(b"\n")
    return line + end, early
