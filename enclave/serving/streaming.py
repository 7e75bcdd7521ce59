"""Sending an answer piece by piece, for as long as its asker is there."""

import asyncio
from collections.abc import AsyncGenerator

from enclave.asgi import Message, Receive, Send


async def stream(pieces: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> None:
    """Send pieces until they end or the peer goes away; what produces them is closed by the caller either way."""
    gone = asyncio.ensure_future(receive())
    try:
        while (piece := await _piece_unless(gone, pieces)) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _piece_unless(gone: asyncio.Future[Message], pieces: AsyncGenerator[bytes, None]) -> bytes | None:
    """The next piece; None at their end, or as soon as the peer is gone: the next piece may be a whole answer."""
    following: asyncio.Future[bytes | None] = asyncio.ensure_future(anext(pieces, None))
    try:
        await asyncio.wait((following, gone), return_when=asyncio.FIRST_COMPLETED)
        return None if gone.done() else await following
    finally:
        if following.cancel():
            await asyncio.wait((following,))
