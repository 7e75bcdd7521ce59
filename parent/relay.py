"""POST /v1/sealed: bytes to the enclave that the clear head names, bytes back, chunk by chunk; nothing else is read."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from parent.answer import Answer
from parent.errors import SenderLeft
from parent.router import Router
from parent.sender import Sender
from parent.turns import caller_of
from strongroom.protocol.constants import (
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    PATH_SEALED,
)

_OPENING_BYTES = 64 << 10
"""An exchange starts when the body ended or this much of it is here: most slow senders never reach the enclave."""


class SealedRelay:
    """An ASGI application whose answer is the enclave's own; when its client leaves, the exchange is closed."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the exchange until it ends or its client leaves.

        Raises EnclaveError, EnclaveProblem, NoSealedRequest, StaleKey.
        """
        sender = Sender(receive)
        with suppress(SenderLeft):
            async with sender.present():
                await self._exchange(sender.chunks(), scope, send)

    async def _exchange(self, chunks: AsyncGenerator[bytes, None], scope: Scope, send: Send) -> None:
        opening, rest = await _upload(chunks)
        enclave = await self._router.route(opening)
        asked = enclave.link.exchange(
            "POST",
            PATH_SEALED,
            body=opening if rest is None else _joined(opening, rest),
            headers=_headers(scope),
        )
        address, _ = scope.get("client") or ("", 0)
        async with enclave.turns.turn(caller_of(address)), asked as answer:
            answer.expect(MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM)
            await _forward(answer, send)


def _headers(scope: Scope) -> dict[str, str]:
    length = Headers(scope=scope).get("content-length")
    declared = {} if length is None else {"Content-Length": length.strip()}  # the parser lets trailing spaces stand
    return {"Content-Type": MEDIA_SEALED_REQUEST, **declared}


async def _upload(chunks: AsyncGenerator[bytes, None]) -> tuple[bytes, AsyncGenerator[bytes, None] | None]:
    """The whole body and None when it is short; else what is here, and the rest."""
    opening = bytearray()
    async for chunk in chunks:
        opening += chunk
        if len(opening) >= _OPENING_BYTES:
            return bytes(opening), chunks
    return bytes(opening), None


async def _joined(opening: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield opening
        async for chunk in rest:
            yield chunk


async def _forward(answer: Answer, send: Send) -> None:
    headers = [(b"content-type", answer.media_type.encode("latin-1"))]
    if answer.length is not None:
        headers.append((b"content-length", b"%d" % answer.length))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    async for chunk in answer.chunks():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
