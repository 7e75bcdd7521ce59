"""Sending an answer for as long as its asker is there."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from enclave.asgi import Receive, Send


async def stream(pieces: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> None:
    """Send pieces until they end or the peer goes away; what produces them is closed by the caller either way."""
    async with _until_gone(receive):
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def whole(pieces: AsyncGenerator[bytes, None], receive: Receive) -> bytes | None:
    """All pieces together, or None as soon as the peer goes away."""
    async with _until_gone(receive):
        return b"".join([piece async for piece in pieces])
    return None


@asynccontextmanager
async def _until_gone(receive: Receive) -> AsyncIterator[None]:
    """Run the block to its end, or leave it at what it waits for when the peer goes away."""
    presence = asyncio.timeout(None)
    watch = asyncio.create_task(_expire_at_departure(receive, presence))
    try:
        async with presence:
            yield
    except TimeoutError:
        if not presence.expired():
            raise
    finally:
        watch.cancel()


async def _expire_at_departure(receive: Receive, presence: asyncio.Timeout) -> None:
    await receive()  # the request is whole: nothing but its sender's departure can come
    presence.reschedule(asyncio.get_running_loop().time())
