"""POST /v1/sealed: bytes to the enclave that the clear head names, bytes back, chunk by chunk; nothing else is read."""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, nullcontext, suppress

from starlette.types import Receive, Scope, Send

from parent.answer import Answer
from parent.errors import SenderLeft
from parent.router import Router
from parent.sender import Sender
from parent.turns import Turns, caller_in
from strongroom.protocol.constants import (
    MEDIA_SEALED_REQUEST,
    MEDIA_SEALED_RESPONSE,
    MEDIA_SEALED_STREAM,
    PATH_SEALED,
)

_SHORT_BYTES = 64 << 10
"""Of a longer body no more is taken in until it has a turn to come in."""


class SealedRelay:
    """An ASGI application whose answer is the enclave's own; when its client leaves, the exchange is closed.

    A request has its turn in the enclave only when its body is here: a slow sender holds no place there.
    """

    def __init__(self, router: Router, uploads: Turns) -> None:
        """`uploads` bounds how many long bodies are taken in at a time."""
        self._router, self._uploads = router, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the exchange until it ends or its client leaves.

        Raises EnclaveError, EnclaveProblem, NoSealedRequest, StaleKey.
        """
        sender = Sender(receive)
        with suppress(SenderLeft):
            async with sender.present(), aclosing(sender.chunks()) as chunks:
                await self._exchange(chunks, caller_in(scope), send)

    async def _exchange(self, chunks: AsyncGenerator[bytes, None], caller: str, send: Send) -> None:
        body = deque([await _beginning(chunks)])
        enclave = await self._router.route(body[0])
        is_long = len(body[0]) >= _SHORT_BYTES
        async with AsyncExitStack() as stack:
            async with self._uploads.turn(caller) if is_long else nullcontext():
                body.extend([chunk async for chunk in chunks])
                await stack.enter_async_context(enclave.turns.turn(caller))
            headers = {"Content-Type": MEDIA_SEALED_REQUEST, "Content-Length": str(sum(map(len, body)))}
            asked = enclave.link.exchange(
                "POST", PATH_SEALED, body=_drained(body) if is_long else body[0], headers=headers
            )
            answer = await stack.enter_async_context(asked)
            answer.expect(MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM)
            await _forward(answer, send)


async def _beginning(chunks: AsyncGenerator[bytes, None]) -> bytes:
    """All of a short body; of a long one so much that it is known to be one, and `chunks` has the rest."""
    beginning = bytearray()
    async for chunk in chunks:
        beginning += chunk
        if len(beginning) >= _SHORT_BYTES:
            break
    return bytes(beginning)


async def _drained(body: deque[bytes]) -> AsyncGenerator[bytes, None]:
    """Piece by piece, none of which is held any longer."""
    while body:
        yield body.popleft()


async def _forward(answer: Answer, send: Send) -> None:
    headers = [(b"content-type", answer.media_type.encode("latin-1"))]
    if answer.length is not None:
        headers.append((b"content-length", b"%d" % answer.length))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    async for chunk in answer.chunks():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
