"""Two byte streams joined: bounded buffers, half-close kept, an end to silence and to everything."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

from proxy.counters import Counters

BUFFER_BYTES = 16 << 10

Stream = tuple[StreamReader, StreamWriter]


async def join(enclave: Stream, remote: Stream, counters: Counters, *, idle_timeout_s: float, total_s: float) -> None:
    """Carry bytes both ways until both sides have ended.

    Raises TimeoutError after `idle_timeout_s` in which nothing moved either way, and after `total_s` in any case;
    OSError when a side breaks. The streams stay the caller's to close.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(total_s), asyncio.timeout(idle_timeout_s) as idle:

        def moved() -> None:
            idle.reschedule(loop.time() + idle_timeout_s)

        def outbound(count: int) -> None:
            counters.outbound_bytes += count
            moved()

        def inbound(count: int) -> None:
            counters.inbound_bytes += count
            moved()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_carry(enclave[0], remote[1], outbound))
                group.create_task(_carry(remote[0], enclave[1], inbound))
        except* OSError as errors:
            raise ConnectionError("one side of the tunnel broke") from errors


async def _carry(reader: StreamReader, writer: StreamWriter, carried: Callable[[int], None]) -> None:
    """One direction, to its end; the end is passed on as a half-close."""
    while data := await reader.read(BUFFER_BYTES):
        writer.write(data)
        await writer.drain()
        carried(len(data))
    writer.write_eof()
