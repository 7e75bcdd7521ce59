"""A listener's connections, each served in a task of its own, in a fixed number of places."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass

_PAUSE_S = 0.01
"""After a failed accept. Descriptors come back as connections end; a loop without rest would keep them from it."""

Serve = Callable[[socket.socket], Coroutine[None, None, None]]


@dataclass
class Places:
    """How many connections may be served at once, and what became of the places."""

    limit: int
    taken: int = 0
    refused: int = 0
    """Connections closed at once because every place was taken."""
    errors: int = 0
    """Accepts that failed, for example for want of descriptors."""


@contextlib.asynccontextmanager
async def accepting(listener: socket.socket, serve: Serve, places: Places) -> AsyncIterator[None]:
    """Accept while the block runs, then end what is still served; the listener is closed in any case.

    `serve` gets a non-blocking connection, which is closed when it returns.
    """
    tasks: set[asyncio.Task[None]] = set()
    with listener:
        listener.setblocking(False)
        loop = asyncio.create_task(_accept(listener, serve, places, tasks))
        try:
            yield
        finally:
            await _cancelled({loop})
            await _cancelled(tasks)


async def _accept(listener: socket.socket, serve: Serve, places: Places, tasks: set[asyncio.Task[None]]) -> None:
    while True:
        try:
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        except OSError:
            places.errors += 1
            await asyncio.sleep(_PAUSE_S)
            continue
        if places.taken >= places.limit:
            places.refused += 1
            connection.close()
        else:
            _begin(connection, serve, places, tasks)
        # An accept that does not have to wait gives nobody else a turn: a flood would stop all that is served.
        await asyncio.sleep(0)


def _begin(connection: socket.socket, serve: Serve, places: Places, tasks: set[asyncio.Task[None]]) -> None:
    def end(task: asyncio.Task[None]) -> None:
        connection.close()
        places.taken -= 1
        tasks.discard(task)

    places.taken += 1
    task = asyncio.create_task(serve(connection))
    tasks.add(task)
    # Not in the task itself: one that is cancelled before its first step runs nothing.
    task.add_done_callback(end)


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
