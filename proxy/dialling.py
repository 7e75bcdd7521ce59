"""From an allowed destination to a connection: the name resolved, the answer judged, that very address dialled."""

import asyncio
import contextlib
import socket

from proxy.resolving import Resolver
from proxy.rules import AllowList

_MAX_ADDRESSES = 4
"""Of one answer: each has its share of the time, and a share must suffice to connect."""


class Dialler:
    """Connects to what an allow-list allows."""

    def __init__(self, allow_list: AllowList, timeout_s: float) -> None:
        self._allow_list, self._timeout_s, self._resolver = allow_list, timeout_s, Resolver()

    async def connect(self, host: str, port: int) -> socket.socket:
        """A non-blocking connection, the caller's to close, within `timeout_s` for resolving and connecting together.

        Raises Forbidden, and OSError (TimeoutError included) when nothing that is allowed answers.
        """
        rule = self._allow_list.find(host, port)
        async with asyncio.timeout(self._timeout_s):
            if rule.pin is not None:
                return await connect(rule.pin.address, rule.pin.port)
            # Dialling the very address that was judged leaves no room for a second, different answer.
            addresses = self._allow_list.permitted(await self._resolver.addresses(host, port))[:_MAX_ADDRESSES]
            return await _connect_first(addresses, port, self._timeout_s / len(addresses))


async def _connect_first(addresses: list[str], port: int, share_s: float) -> socket.socket:
    """The first address that answers, in order; raise the last one's OSError."""
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            async with asyncio.timeout(share_s):
                return await connect(address, port)
    return await connect(addresses[-1], port)


async def connect(address: str, port: int) -> socket.socket:
    """A TCP connection to an IPv4 or IPv6 address; raise OSError."""
    connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection
