"""Asking through a session, and tampering with the answer on its way."""

from collections.abc import Callable

from aiohttp import web

from strongroom.client.session import AttestedSession
from strongroom.protocol.payloads import ChatTask, Event, Message
from tests.client.fake_enclave import Sealed
from tests.client.fake_gateway import FakeGateway, Handler

TASK = ChatTask([Message("user", "canary")])


async def ask(session: AttestedSession, *, stream: bool = False) -> list[Event]:
    return [event async for event in session.exchange("tiny-chat", TASK, stream=stream)]


def tampered(gateway: FakeGateway, tamper: Callable[[Sealed], Sealed]) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await gateway.send(request, tamper(gateway.enclave.answer(gateway.messages[-1])))

    return handle
