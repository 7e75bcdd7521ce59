"""The client of a sealed request: its body as it arrives, and the news that it has left."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from parent.errors import SenderLeft


class Sender:
    """One request's client. Read the body within `present`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._presence = asyncio.timeout(None)
        self._watch: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def present(self) -> AsyncIterator[None]:
        """Run the block to its end. Raises SenderLeft in its stead when the client leaves after its body."""
        try:
            async with self._presence:
                yield
        except TimeoutError:
            if self._presence.expired():
                raise SenderLeft from None
            raise
        finally:
            if self._watch is not None:
                self._watch.cancel()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Chunks until the body's end. Raises SenderLeft when the client leaves first: half a body is none."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise SenderLeft
            more = message.get("more_body", False)
            if not more:
                self._watch = asyncio.create_task(_expire_at_departure(self._receive, self._presence))
            if body := message.get("body"):
                yield body


async def _expire_at_departure(receive: Receive, presence: asyncio.Timeout) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    presence.reschedule(asyncio.get_running_loop().time())
