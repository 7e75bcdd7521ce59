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
    *events, proof = [part async for part in session.exchange("tiny-chat", TASK, stream=stream)]
    assert isinstance(proof, Proof)
    return [event for event in events if not isinstance(event, Proof)]


def tampered(gateway: FakeGateway, tamper: Callable[[Sealed], Sealed]) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await gateway.send(request, tamper(gateway.enclave.answer(gateway.messages[-1])))

    return handle
