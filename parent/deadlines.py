"""uvicorn's HTTP protocol with the deadlines and bounds that it lacks.

uvicorn closes idle kept-alive connections only: a silent client, half a head or half a body stay open for ever, and no
ASGI middleware runs early enough to notice. Here every phase of a connection has an absolute end:

    head       from accept, or from the first byte on a kept-alive connection, to the end of the headers
    request    from the same instant to the last byte of the body
    idle       between requests (uvicorn's own timer)
    writing    from the moment that a client takes no more of its answer

Pipelined requests (RFC 9112 section 9.3.2) are not served: the answer in flight is the connection's last.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parent.problems import problem_message
from parent.settings import Limits
from strongroom.protocol.problems import Problem

_LINGER_S = 1.0
"""After a refusal the client's bytes are read and dropped this long: closing at once would destroy the refusal."""
_FRAMING_BYTES_PER_BODY_BYTE = 8
"""The dearest honest chunked encoding sends each byte as `1 CRLF x CRLF`."""


class _Refused(Exception):
    """Raised in a parser's callback; httptools turns it into its own error, and uvicorn into send_400_response."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `limits` are the defaults, or those of the subclass that `guarded_protocol` makes."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._began_s = 0.0
        self._received_bytes = self._body_bytes = self._head_bytes = 0
        self._refusal = Problem.INVALID_REQUEST
        self._pipelined = self._refused = self._heard = False

    @property
    def _answering(self) -> bool:
        return not getattr(self.cycle, "response_complete", True)

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Admit the connection, or answer `busy` when there are too many; cut it when that is too much as well."""
        super().connection_made(transport)
        # With no buffer of its own the transport reports the first byte that the client does not take.
        transport.set_write_buffer_limits(high=0)
        # A refused connection lingers and is counted: twice the limit bounds the descriptors that clients can take.
        if len(self.connections) > 2 * self.limits.max_connections:
            self._refused = True
            transport.abort()
        elif len(self.connections) > self.limits.max_connections:
            self._refuse(Problem.BUSY)
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        for timer in (self._deadline, self._stall):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, unless nothing more is served here; bound what is neither head nor body."""
        if self._refused or self._pipelined:
            return
        if self._deadline is None and not self._answering:
            self._expect_head()
        self._heard = True
        self._received_bytes += len(data)
        super().data_received(data)
        framing = self._received_bytes - self._body_bytes
        if framing > self.limits.max_header_bytes + _FRAMING_BYTES_PER_BODY_BYTE * self._body_bytes:
            self._refuse(Problem.HEADERS_TOO_LARGE)
        if self._deadline is None and not self._answering:
            self._expect_next()

    def pause_writing(self) -> None:
        """The client does not read: it has so long to begin again."""
        super().pause_writing()
        self._stall = self.loop.call_later(self.limits.write_stall_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client took everything."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        """A head begins."""
        if self._answering:
            self._pipelined = True
            raise _Refused
        if self._deadline is None:  # behind the body of an answered request, in one segment
            self._expect_head()
            self._heard = True
        self._body_bytes = self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field; trailer fields count and are dropped."""
        self._count_head(len(name) + len(value) + len(b": \r\n"))
        if not self._answering:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: start the application, which has until the request's deadline to get its body."""
        if self.parser.should_upgrade():
            raise _Refused
        super().on_headers_complete()
        self._arm(self._began_s + self.limits.request_timeout_s, self._request_expired)

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; what follows is the application's time."""
        self._disarm()
        self._received_bytes = self._body_bytes = 0
        self._heard = False
        super().on_message_complete()

    # Deadlines

    def _expect_head(self) -> None:
        self._began_s = self.loop.time()
        self._arm(self._began_s + self.limits.head_timeout_s, self._head_expired)

    def _expect_next(self) -> None:
        """A body ended after its answer: uvicorn's idle timer began with the answer, and its bytes stopped it."""
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _arm(self, at_s: float, expired: Callable[[], None]) -> None:
        self._disarm()
        self._deadline = self.loop.call_at(at_s, expired)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_expired(self) -> None:
        if self._heard:
            self._refuse(Problem.TIMED_OUT)
        else:
            self.transport.close()

    def _request_expired(self) -> None:
        if self._answering:
            self._refuse(Problem.TIMED_OUT)
        else:  # answered without waiting for the body, which still does not end
            self.transport.abort()

    # Refusals

    def _count_head(self, count: int) -> None:
        self._head_bytes += count
        if self._head_bytes > self.limits.max_header_bytes:
            self._refusal = Problem.HEADERS_TOO_LARGE
            raise _Refused

    def send_400_response(self, msg: str) -> None:
        """The parser gave up. A pipelined request is dropped in favour of the answer in flight."""
        if self._pipelined:
            self.cycle.keep_alive = False
        else:
            self._refuse(self._refusal)

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem if nothing was answered yet, then end the connection."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._disarm()
        begun = self._answering and self.cycle.response_started
        if self._answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if begun:
            self.transport.abort()
        else:
            self._say_goodbye(problem)

    def _say_goodbye(self, problem: Problem) -> None:
        self.transport.write(problem_message(problem))
        self.flow.resume_reading()
        self.transport.write_eof()
        self._arm(self.loop.time() + _LINGER_S, self.transport.abort)


def guarded_protocol(limits: Limits) -> type[GuardedProtocol]:
    """The protocol class that uvicorn is given as its `http` setting."""
    return type("LimitedProtocol", (GuardedProtocol,), {"limits": limits})
