"""Exchanges with the enclave: HTTP/1.1 over one pool of connections, bounded in number and in time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp

from parent.answer import Answer
from parent.connector import SocketConnector
from parent.errors import EnclaveBusy, EnclaveTimedOut, EnclaveUnreachable, GatewayError
from strongroom.transport.addresses import Address

_CONNECT_TIMEOUT_S = 3.0
_AUTHORITY = "http://enclave"
_NOT_OURS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

Body = bytes | AsyncIterator[bytes]


class EnclaveLink:
    """The way to one listening address of the enclave. An async context manager: open before use.

    A connection returns to the pool only when its answer was read to the end; a cancelled or failed exchange closes
    it, so that no answer can ever meet another question. No question is sent twice.
    """

    def __init__(self, address: Address, *, timeout_s: float, max_exchanges: int) -> None:
        self._address, self._timeout_s, self._max_exchanges = address, timeout_s, max_exchanges
        self._in_flight = 0
        self._session: aiohttp.ClientSession | None = None

    @property
    def in_flight(self) -> int:
        """How many exchanges have begun and not ended."""
        return self._in_flight

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=SocketConnector(self._address, connect_timeout_s=_CONNECT_TIMEOUT_S, limit=self._max_exchanges),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_NOT_OURS,
            middlewares=(_once,),
            timeout=aiohttp.ClientTimeout(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[Answer]:
        """One question, and its answer as it arrives; `timeout_s` (default: the link's) bounds the whole.

        Raises EnclaveBusy, EnclaveUnreachable, EnclaveTimedOut; also when the answer breaks off inside the block. A
        GatewayError that the body raises passes.
        """
        if self._in_flight >= self._max_exchanges:
            raise EnclaveBusy(f"expected at most {self._max_exchanges} exchanges in flight, got one more")
        self._in_flight += 1
        try:
            async with asyncio.timeout(timeout_s or self._timeout_s):
                response = await self._opened().request(
                    method, _AUTHORITY + path, data=body, headers=headers, allow_redirects=False
                )
                try:
                    yield Answer(response)
                finally:
                    response.close()
        except TimeoutError:
            raise EnclaveTimedOut(f"expected a whole answer within {timeout_s or self._timeout_s} s") from None
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, GatewayError):  # the body's own, which aiohttp has wrapped
                raise error.__cause__ from None
            raise _unanswered(error) from None
        finally:
            self._in_flight -= 1

    async def fetch(self, path: str, *, media_type: str, max_bytes: int, timeout_s: float | None = None) -> bytes:
        """GET a small body of that type. Raises EnclaveError, or EnclaveProblem when the enclave refuses."""
        async with self.exchange("GET", path, timeout_s=timeout_s) as answer:
            answer.expect(media_type)
            return await answer.read(max_bytes)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("expected the link to be opened with `async with` before use")
        return self._session


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send it once: aiohttp repeats a PUT whose connection broke, and a boot step taken twice ends the enclave."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _unanswered(error) from None


def _unanswered(error: Exception) -> EnclaveUnreachable:
    return EnclaveUnreachable(f"the enclave did not answer ({type(error).__name__})")
