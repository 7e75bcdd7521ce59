"""Asking through a session, and tampering with the answer on its way."""

from collections.abc import Callable

from aiohttp import web

from strongroom.client.proofs import Proof
from strongroom.client.session import AttestedSession
from strongroom.protocol.payloads import ChatTask, Event, Message
from tests.client.fake_enclave import Sealed
from tests.client.fake_gateway import FakeGateway, Handler

TASK = ChatTask([Message("user", "canary")])


async def ask(session: AttestedSession, *, stream: bool = False) -> list[Event]:
    """The events of an answer, whose proof came behind them."""
    if not stream:
        events, _ = await session.ask("tiny-chat", TASK)
        return events
    *parts, proof = [part async for part in session.stream("tiny-chat", TASK)]
    assert isinstance(proof, Proof)
    return [part for part in parts if not isinstance(part, Proof)]


def tampered(gateway: FakeGateway, tamper: Callable[[Sealed], Sealed]) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await gateway.send(request, tamper(gateway.enclave.answer(gateway.messages[-1])))

    return handle
