"""Requests to the enclave's applications, without sockets."""

import asyncio

from enclave.asgi import Message, Scope
from enclave.boot.control import ControlApp
from enclave.serving.api import APIApp
from strongroom.protocol.constants import MEDIA_SEALED_REQUEST
from tests.enclave.deployment import Booting


async def call(
    app: ControlApp | APIApp, method: str, path: str, body: bytes = b"", *, then_gone: bool = False
) -> list[Message]:
    """What the application sends for one request; `then_gone`: the peer leaves once its request is sent."""
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if incoming:
            return incoming.pop()
        if not then_gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", MEDIA_SEALED_REQUEST.encode())]
    path, _, query = path.partition("?")
    scope: Scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": headers}
    await asyncio.wait_for(app(scope, receive, send), 10)
    return sent


def control_of(enclave: Booting) -> tuple[ControlApp, list[str]]:
    """The control interface, and the codes with which it ends the enclave."""
    codes: list[str] = []

    def end(code: str) -> None:
        codes.append(code)
        enclave.boot.end()

    return ControlApp(enclave.boot, enclave.log, end), codes
