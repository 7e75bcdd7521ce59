"""Names to addresses, without holding up the process: the system's resolver can take minutes and cannot be stopped.

aiohttp's own asks in a thread of the loop's pool, which the end of `asyncio.run` and of the interpreter wait for, far
beyond any deadline of ours. Here each lookup has a daemon thread, which nobody waits for.
"""

import asyncio
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_Found = list[tuple[Any, Any, int, str, Any]]


class Resolver(AbstractResolver):
    """getaddrinfo in a daemon thread for each lookup."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises OSError."""
        return [
            ResolveResult(hostname=host, host=_numeric(address), port=port, family=kind, proto=protocol, flags=_NUMERIC)
            for kind, _, protocol, _, address in await _look_up(host, port, family)
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _look_up(host: str, port: int, family: int) -> _Found:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Found] = loop.create_future()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        except (OSError, ValueError) as error:
            _tell(loop, _fail, future, error if isinstance(error, OSError) else OSError("no such name"))
        else:
            _tell(loop, _succeed, future, found)

    threading.Thread(target=ask, name="strongroom resolver", daemon=True).start()
    return await future


def _tell(loop: asyncio.AbstractEventLoop, callback: Any, *arguments: Any) -> None:
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        return  # the loop has ended: nobody waits any longer


def _succeed(future: "asyncio.Future[_Found]", found: _Found) -> None:
    if not future.done():
        future.set_result(found)


def _fail(future: "asyncio.Future[_Found]", error: OSError) -> None:
    if not future.done():
        future.set_exception(error)


def _numeric(address: Any) -> str:
    """The address, with its zone if it is a link-local one of IPv6."""
    numeric, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    return numeric
