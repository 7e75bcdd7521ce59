"""Transports for httpx2, the HTTP library of the `openai` package: attested, sealed and opened in this very process.

    OpenAI(base_url=BASE_URL, api_key="none", http_client=httpx2.Client(transport=Transport(session)))

The host of BASE_URL cannot resolve (RFC 6761), and it is https: a client that was built without the transport finds
nobody, and a proxy that it may be told to use sees a name and no prompt.
"""

import asyncio
import atexit
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import httpx2

from strongroom.client.endpoint.answering import Endpoint, KeepProof
from strongroom.client.endpoint.streaming import StreamedReply
from strongroom.client.errors import ClientClosed
from strongroom.client.loop_thread import LoopThread
from strongroom.client.session import AttestedSession
from strongroom.client.waiting import Ended, Waiting
from strongroom.surfaces.http import HTTPRequest, Reply
from strongroom.surfaces.refusals import Refused
from strongroom.surfaces.routes import refusal

T = TypeVar("T")

HOST: Final = "strongroom.invalid"
BASE_URL: Final = f"https://{HOST}/v1"
_MISDIRECTED: Final = 421


class AsyncTransport(httpx2.AsyncBaseTransport):
    """For `httpx2.AsyncClient`: answers what is asked of HOST over `session`, and refuses every other host.

    `keep_proof` is called with the id of each answer (its `id`; the header x-request-id) and its proof. Of the timeouts
    of a request, `read` bounds each wait for more of the answer. Closing closes the session.
    """

    def __init__(self, session: AttestedSession, *, keep_proof: KeepProof | None = None) -> None:
        self._session, self._endpoint = session, Endpoint(session, keep_proof=keep_proof)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, a refusal included. Raises httpx2.ReadTimeout."""
        await request.aread()
        return await _answer(self._endpoint, request)

    async def aclose(self) -> None:
        """Close the session."""
        await self._session.close()


class Transport(httpx2.BaseTransport):
    """The same for `httpx2.Client`; any thread may use it. One that nobody closes is closed when the program ends."""

    def __init__(self, session: AttestedSession, *, keep_proof: KeepProof | None = None) -> None:
        self._session, self._endpoint = session, Endpoint(session, keep_proof=keep_proof)
        self._loop, self._process = LoopThread(), os.getpid()
        atexit.register(self._at_exit)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, a refusal included. Raises httpx2.ReadTimeout, and httpx2.ReadError once closed."""
        request.read()
        response = _run(self._loop, _answer(self._endpoint, request))
        if isinstance(response.stream, _AsyncPieces):
            response.stream = _Pieces(response.stream, self._loop)
        return response

    def close(self) -> None:
        """Close the session and end its thread. Closing twice is no error."""
        atexit.unregister(self._at_exit)
        with suppress(ClientClosed):
            self._loop.run(self._session.close())
        self._loop.close()

    def _at_exit(self) -> None:
        """Later the thread stands still, and a stream that is let go of then would wait for it for ever."""
        if os.getpid() == self._process:  # a forked process has no such thread
            self.close()


class _AsyncPieces(httpx2.AsyncByteStream):
    """The body of a streamed answer."""

    def __init__(self, reply: StreamedReply, timeout_s: float | None) -> None:
        self._reply, self._timeout_s = reply, timeout_s
        self._pieces, self._waiting = aiter(reply), Waiting()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self.next()) is not None:
            yield piece

    async def next(self) -> bytes | None:
        """The next bytes, or None at the end. Raises httpx2.ReadTimeout, and httpx2.ReadError when closed meanwhile."""
        try:
            async with _read_timeout(self._timeout_s):
                return await self._waiting.of(anext(self._pieces, None))
        except Ended:
            raise httpx2.ReadError("expected to read to the end, got closed before it") from None

    async def aclose(self) -> None:
        if not self._waiting.end():
            await self._reply.aclose()


class _Pieces(httpx2.SyncByteStream):
    """The same for a synchronous caller."""

    def __init__(self, pieces: _AsyncPieces, loop: LoopThread) -> None:
        self._pieces, self._loop = pieces, loop

    def __iter__(self) -> Iterator[bytes]:
        while (piece := _run(self._loop, self._pieces.next())) is not None:
            yield piece

    def close(self) -> None:
        with suppress(ClientClosed):
            self._loop.run(self._pieces.aclose())


def _run(loop: LoopThread, work: Coroutine[Any, Any, T]) -> T:
    """Wait for `work`. Raises httpx2.ReadError once the transport is closed, for programs look for httpx2's errors."""
    try:
        return loop.run(work)
    except ClientClosed as closed:
        raise httpx2.ReadError(str(closed)) from None


async def _answer(endpoint: Endpoint, request: httpx2.Request) -> httpx2.Response:
    timeout_s = request.extensions.get("timeout", {}).get("read")
    async with _read_timeout(timeout_s):
        reply = await _reply(endpoint, request)
    if isinstance(reply, StreamedReply):
        return httpx2.Response(reply.status, headers=reply.headers, stream=_AsyncPieces(reply, timeout_s))
    # As a stream: a response that comes with its content is never closed, and only then is it known how long it took.
    headers = {**reply.headers, "content-length": str(len(reply.body))}
    return httpx2.Response(reply.status, headers=headers, stream=httpx2.ByteStream(reply.body))


async def _reply(endpoint: Endpoint, request: httpx2.Request) -> Reply | StreamedReply:
    url = request.url
    if url.host != HOST:
        message = f"expected the host {HOST}, got another, to which nothing was sent: use base_url={BASE_URL!r}"
        return refusal(url.path, Refused(_MISDIRECTED, "other-host", message))
    return await endpoint.answer(HTTPRequest(request.method, url.path, dict(request.headers), request.content))


@asynccontextmanager
async def _read_timeout(timeout_s: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise httpx2.ReadTimeout(f"expected more of the answer within {timeout_s:g} s, got none") from None
