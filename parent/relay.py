"""POST /v1/sealed: bytes to the enclave that the clear head names, bytes back, chunk by chunk; nothing else is read."""

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parent.answer import Answer
from parent.link import Body
from parent.router import Router
from strongroom.protocol.constants import (
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    PATH_SEALED,
)

_OPENING_BYTES = 64 << 10
"""An exchange starts when the body ended or this much of it is here: most slow senders never reach the enclave."""


class ClientBody:
    """The request body as it arrives, and the news that its sender has left."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._over = asyncio.Event()
        self.left = False

    async def chunks(self) -> AsyncIterator[bytes]:
        """Chunks until the body's end; never ends when the sender leaves, lest half a body look whole."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                await self._leave()
            more = message.get("more_body", False)
            if not more:
                self._over.set()
            if body := message.get("body"):
                yield body

    async def departure(self) -> None:
        """Return when the sender has left, during the body or after it."""
        await self._over.wait()
        while not self.left:
            self.left = (await self._receive())["type"] == "http.disconnect"

    async def _leave(self) -> NoReturn:
        self.left = True
        self._over.set()
        await asyncio.get_running_loop().create_future()
        raise AssertionError("expected to be cancelled")


class SealedRelay(Response):
    """The response that is the enclave's own; when its client leaves, the exchange is cancelled and closed."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the exchange until it ends or its client leaves.

        Raises EnclaveError, EnclaveProblem, NoSealedRequest, StaleKey.
        """
        client = ClientBody(receive)
        exchange = asyncio.create_task(self._exchange(client, Headers(scope=scope).get("content-length"), send))
        departure = asyncio.create_task(client.departure())
        try:
            await asyncio.wait((exchange, departure), return_when=asyncio.FIRST_COMPLETED)
        finally:
            departure.cancel()
            exchange.cancel()
            await asyncio.gather(exchange, departure, return_exceptions=True)
        if not client.left and not exchange.cancelled():
            exchange.result()

    async def _exchange(self, client: ClientBody, length: str | None, send: Send) -> None:
        opening, rest = await _upload(client)
        enclave = await self._router.route(opening)
        body: Body = opening if rest is None else _joined(opening, rest)
        headers = {"Content-Type": MEDIA_SEALED_REQUEST}
        if length is not None:
            headers["Content-Length"] = length.strip()  # the parser lets trailing spaces stand
        async with enclave.link.exchange("POST", PATH_SEALED, body=body, headers=headers) as answer:
            answer.expect(MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM)
            await _forward(answer, send)


async def _upload(client: ClientBody) -> tuple[bytes, AsyncIterator[bytes] | None]:
    """The whole body and None when it is short; else what is here, and the rest."""
    opening, chunks = bytearray(), client.chunks()
    async for chunk in chunks:
        opening += chunk
        if len(opening) >= _OPENING_BYTES:
            return bytes(opening), chunks
    return bytes(opening), None


async def _joined(opening: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield opening
    async for chunk in chunks:
        yield chunk


async def _forward(answer: Answer, send: Send) -> None:
    headers = [(b"content-type", answer.media_type.encode("latin-1"))]
    if answer.length is not None:
        headers.append((b"content-length", b"%d" % answer.length))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    async for chunk in answer.chunks():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
