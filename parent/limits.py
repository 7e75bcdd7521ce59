"""The bound on request bodies: first the declared length, then the bytes that come, before anybody keeps them."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parent.problems import problem_response
from strongroom.protocol.problems import Problem


class BodyLimit:
    """ASGI middleware that answers 413 beyond `max_body_bytes`.

    When a body without declared length grows too large, the application is told that the client has left, which ends
    what it had begun; the answer is then given here. What still arrives is discarded, until the connection's deadline.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app, self._max_body_bytes = app, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge the declared length, then count."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if int(Headers(scope=scope).get("content-length", "0")) > self._max_body_bytes:
            return await problem_response(Problem.TOO_LARGE)(scope, receive, send)
        count = _Count(receive, send, self._max_body_bytes)
        await self._app(scope, count.receive, count.send)
        if count.exceeded and not count.answered:
            await problem_response(Problem.TOO_LARGE)(scope, receive, send)
        return None


class _Count:
    """One request's bytes, and whether its answer has begun."""

    def __init__(self, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive, self._send, self._left = receive, send, max_bytes
        self.answered = False

    @property
    def exceeded(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        if not self.exceeded:
            message = await self._receive()
            self._left -= len(message.get("body", b""))
            if not self.exceeded:
                return message
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.answered = True
        await self._send(message)
