"""uvicorn's HTTP protocol with the bounds that it lacks: number of connections, size and time of a head.

Bodies are bounded where they are read (`enclave.asgi`). Whoever breaks a bound here, or speaks no HTTP, is the host
itself, so it gets no answer: its connection is cut. uvicorn would answer in words of its own (review R20).
"""

import asyncio
import math
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 16 << 10
HEAD_DEADLINE_S: Final = 10.0


class _Full(Exception):
    """Raised in a parser's callback; httptools turns it into its own error, and uvicorn into send_400_response."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection; at most `limit_concurrency` of them are open at a time, and as many requests under way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most, self.limit_concurrency = self.limit_concurrency or math.inf, None
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take the connection, or cut it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()
        else:
            self._deadline = self.loop.call_later(HEAD_DEADLINE_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; a head that these bytes leave unfinished is bounded in size and time."""
        super().data_received(data)
        if not self._in_head:
            return
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_DEADLINE_S, self.transport.abort)
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head; the fields of a trailer are dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head, self._head_bytes = False, 0
        self._disarm()
        if len(self.tasks) >= self._most:  # a request outlives its connection
            raise _Full
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser gave up."""
        self.transport.abort()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
