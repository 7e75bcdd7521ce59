"""The little of ASGI that the enclave needs: bounded bodies, fixed answers, problems. No framework in measured code."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from strongroom.protocol.constants import MEDIA_PROBLEM
from strongroom.protocol.errors import TooLarge
from strongroom.protocol.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_DEADLINE_S = 15.0


class Disconnected(Exception):
    """The peer went away before its body was complete."""


class Answer:
    """What an application sends goes through here, so that it is known whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        """Send a message of ASGI."""
        self.begun = True
        await self._send(message)


async def body_pieces(receive: Receive, max_bytes: int | None = None) -> AsyncIterator[bytes]:
    """The body as it comes; raise TooLarge beyond `max_bytes` and Disconnected when the peer goes away."""
    total, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        total += len(piece)
        if max_bytes is not None and total > max_bytes:
            raise TooLarge(f"body: expected at most {max_bytes} bytes")
        if piece:
            yield piece


async def read_body(receive: Receive, max_bytes: int) -> bytes:
    """The whole body, within the deadline; raise TooLarge, Disconnected or TimeoutError."""
    body = bytearray()
    async with asyncio.timeout(BODY_DEADLINE_S):
        async for piece in body_pieces(receive, max_bytes):
            body += piece
    return bytes(body)


async def start(send: Send, status: int, media_type: str | None, length: int | None = None) -> None:
    """Send the head of an answer."""
    headers = [(b"cache-control", b"no-store")]
    if media_type is not None:
        headers.append((b"content-type", media_type.encode()))
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def respond(send: Send, status: int, media_type: str | None = None, body: bytes = b"") -> None:
    """Send a whole answer."""
    await start(send, status, media_type, None if status == 204 else len(body))
    await send({"type": "http.response.body", "body": body})


async def respond_problem(send: Send, problem: Problem) -> None:
    """Send a problem: always the same bytes for the same problem (R20)."""
    await respond(send, int(problem.status), MEDIA_PROBLEM, problem.to_bytes())
