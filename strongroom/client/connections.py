"""Connections to a gateway, of one event loop after another: none outlives the loop that it was made in."""

import asyncio
from collections.abc import AsyncGenerator

import aiohttp

from strongroom.client.errors import ClientClosed
from strongroom.client.resolver import Resolver

_HEADERS = {"User-Agent": "strongroom", "Accept-Encoding": "identity"}
_KEEP_ALIVE_S = 3.0
"""Below the 5 seconds after which servers commonly close: a sealed request that meets a closing connection is lost."""


class Connections:
    """Made on first use, in the running loop; used again in another loop once that one has ended."""

    def __init__(self) -> None:
        self._http: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop
        self._held: AsyncGenerator[None, None] | None = None
        self._closed = False

    async def http(self) -> aiohttp.ClientSession:
        """What requests are made with. Raises ClientClosed."""
        if self._closed:
            raise ClientClosed
        if self._http is None or self._http.closed or self._loop.is_closed():
            self._http, self._loop = _session(), asyncio.get_running_loop()
            self._held = _until_the_end(self._http)
            await anext(self._held)
        return self._http

    async def close(self) -> None:
        """Close all of them; there will be no others. Closing twice, at once even, is no error."""
        self._closed = True
        held, self._held = self._held, None  # a generator that is being closed cannot be closed
        if held is not None and not self._loop.is_closed():  # whoever closed a loop alone has lost what was open in it
            await held.aclose()


async def _until_the_end(http: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """Held at its yield. `asyncio.run` closes all generators of its loop at the end, and this one its connections."""
    async with http:
        yield


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(keepalive_timeout=_KEEP_ALIVE_S, resolver=Resolver()),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        headers=_HEADERS,
        auto_decompress=False,
        trust_env=False,
    )
