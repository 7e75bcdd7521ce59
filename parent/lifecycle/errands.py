"""What an operator's command asks of the supervisor, over a socket in its state folder: one line each way."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal

import msgspec

from parent.lifecycle.errors import LifecycleError, StateUnusable
from strongroom.transport.addresses import Address
from strongroom.transport.sockets import dial, listen

_MAX_LINE_BYTES = 4 << 10
_ASK_S, _ANSWER_S = 5.0, 600.0


class Errand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stop or restart one enclave, or all when none is named."""

    do: Literal["stop", "restart"]
    enclave: int | None = None


class _Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    error: str | None = None


@asynccontextmanager
async def errands_taken(address: Address, run: Callable[[Errand], Awaitable[None]]) -> AsyncIterator[None]:
    """Listen for the length of the block. What `run` raises as LifecycleError is told to whoever asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, ValueError):  # a line that is too long is a ValueError
                async with asyncio.timeout(_ASK_S):
                    line = await reader.readline()
                writer.write(msgspec.json.encode(await _answer(line, run)) + b"\n")
        finally:
            writer.close()

    server = await asyncio.start_server(serve, sock=listen(address), limit=_MAX_LINE_BYTES)
    try:
        yield
    finally:
        server.close()


async def _answer(line: bytes, run: Callable[[Errand], Awaitable[None]]) -> _Done:
    try:
        await run(msgspec.json.decode(line, type=Errand))
    except msgspec.DecodeError:
        return _Done("expected an errand, got something else")
    except LifecycleError as error:
        return _Done(str(error))
    return _Done()


def ask(address: Address, errand: Errand) -> None:
    """Have it done, and wait for that. Raises StateUnusable when the supervisor refuses or is gone."""
    try:
        with dial(address, _ASK_S) as connection:
            connection.settimeout(_ANSWER_S)
            connection.sendall(msgspec.json.encode(errand) + b"\n")
            answer = msgspec.json.decode(_line(connection), type=_Done)
    except (OSError, msgspec.DecodeError):
        raise StateUnusable("expected an answer of the supervisor, got none: see its output") from None
    if answer.error is not None:
        raise StateUnusable(answer.error)


def _line(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        return stream.readline(_MAX_LINE_BYTES)
