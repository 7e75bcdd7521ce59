"""Two sockets joined: bounded buffers, half-close kept, an end to silence and to everything."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from proxy.counters import Counters

BUFFER_BYTES = 16 << 10
"""Of one direction of one connection."""


async def join(
    enclave: socket.socket,
    remote: socket.socket,
    counters: Counters,
    *,
    early: bytes,
    idle_timeout_s: float,
    total_s: float,
) -> None:
    """Carry bytes both ways until both sides have ended; `early` came from the enclave before, at most a buffer.

    Raises TimeoutError after `idle_timeout_s` in which nothing moved either way, and after `total_s` in any case;
    ConnectionError when a side broke or took not all that was sent to it. The sockets stay the caller's to close.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(total_s), asyncio.timeout(idle_timeout_s) as idle:

        def moved() -> None:
            if not idle.expired():
                idle.reschedule(loop.time() + idle_timeout_s)

        def outbound(count: int) -> None:
            counters.outbound_bytes += count
            moved()

        def inbound(count: int) -> None:
            counters.inbound_bytes += count
            moved()

        try:
            async with asyncio.TaskGroup() as group:
                directions = (
                    group.create_task(_carry(enclave, remote, outbound, early)),
                    group.create_task(_carry(remote, enclave, inbound)),
                )
        except* OSError as errors:
            raise ConnectionResetError("one side of the tunnel broke") from errors
    if not all(direction.result() for direction in directions):
        raise BrokenPipeError("one side of the tunnel stopped reading")


async def _carry(
    source: socket.socket, sink: socket.socket, carried: Callable[[int], None], early: bytes = b""
) -> bool:
    """One direction to its end, which is passed on as a half-close; whether all of it was taken.

    A sink that takes no more ends this direction only: what it sent before it closed may still be on its way back.
    """
    loop = asyncio.get_running_loop()
    buffer = memoryview(bytearray(BUFFER_BYTES))
    buffer[: len(early)] = early
    count = len(early) or await loop.sock_recv_into(source, buffer)
    while count:
        try:
            await loop.sock_sendall(sink, buffer[:count])
        except OSError:
            _shut(source, socket.SHUT_RD)
            return False
        carried(count)
        # Neither call gives another task a turn while it need not wait: one fast transfer would stop all others.
        await asyncio.sleep(0)
        count = await loop.sock_recv_into(source, buffer)
    _shut(sink, socket.SHUT_WR)
    return True


def _shut(connection: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):  # it is gone already
        connection.shutdown(how)
