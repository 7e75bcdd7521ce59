"""Deadlines as the client's own error."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from strongroom.client.errors import TimedOut


@asynccontextmanager
async def deadline(timeout_s: float) -> AsyncIterator[None]:
    """Run the block for at most that long. Raises TimedOut."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise TimedOut(timeout_s) from None
