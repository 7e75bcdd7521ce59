"""No answer is complete before its receipt verified, under a document of the very boot it was asked of (R8, R14)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from attestation.evidence import Evidence
from attestation.proof_errors import ProofCode
from attestation.receipt_claims import Outcome
from strongroom.client.aio import AsyncClient
from strongroom.client.errors import (
    AttestationRefused,
    GatewayProblem,
    ReceiptRefused,
    RequestRefused,
    SealBroken,
    StrongroomError,
    TimedOut,
)
from strongroom.client.session import AttestedSession
from strongroom.protocol.constants import MEDIA_EVIDENCE, MEDIA_SEALED_STREAM, PATH_SEALED
from strongroom.protocol.payloads import Event, GenerationEnd, Receipt, TextDelta
from strongroom.protocol.responses import ResponseSealer
from strongroom.protocol.tensors import Tensor
from strongroom.simulator.pki import SimulatedPKI
from tests.client.asking import TASK, ask
from tests.client.conftest import NewSession
from tests.client.fake_enclave import FAILURE, PIECES, Clock, FakeEnclave, Sealed
from tests.client.fake_gateway import BY_DIGEST, FakeGateway, respond

HOUR_MS = 3_600_000


def lying(gateway: FakeGateway, **claims: Any) -> None:
    """From here on each receipt says this."""

    async def lie(request: web.BaseRequest) -> web.StreamResponse:
        return await gateway.send(request, gateway.enclave.answer(gateway.messages[-1], **claims))

    gateway.faults[PATH_SEALED] = lie


LIES: dict[str, tuple[dict[str, Any], ProofCode | None]] = {
    "another request id": ({"request_id": bytes(16)}, None),
    "another model": ({"model": "other"}, None),
    "an outcome that it had not": ({"outcome": Outcome.FAILED}, None),
    "cancelled": ({"outcome": Outcome.CANCELLED}, None),
    "more chunks than came": ({"sent_chunks": 99, "generated_chunks": 99}, None),
    "another request": ({"request_commitment": bytes(32)}, ProofCode.REQUEST),
    "another response": ({"response_commitment": bytes(32)}, ProofCode.RESPONSE),
    "another document": ({"document_sha384": bytes(48)}, ProofCode.OTHER_DOCUMENT),
    "another key list": ({"keys_sha384": bytes(48)}, ProofCode.NOT_BOUND),
    "another catalogue": ({"catalogue_sha384": bytes(48)}, ProofCode.OTHER_CATALOGUE),
    "another boot": ({"boot_id": bytes(32)}, ProofCode.OTHER_BOOT),
    "before the document": ({"time_ms": 1_600_000_000_000}, ProofCode.BEFORE_DOCUMENT),
    "chunks that contradict": ({"sent_chunks": 0}, ProofCode.CHUNKS),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", LIES)
async def test_a_receipt_that_lies(session: AttestedSession, gateway: FakeGateway, name: str, stream: bool) -> None:
    claims, code = LIES[name]
    lying(gateway, **claims)
    parts = session.stream("tiny-chat", TASK)
    if stream:
        assert [await anext(parts) for _ in PIECES] == [TextDelta(piece) for piece in PIECES]
    with pytest.raises(ReceiptRefused) as caught:
        await (anext(parts) if stream else session.ask("tiny-chat", TASK))
    assert (caught.value.rejection and caught.value.rejection.code) == code
    assert caught.value.reason == code


async def test_the_same_receipt_unaltered_is_accepted(session: AttestedSession, gateway: FakeGateway) -> None:
    lying(gateway)
    assert await ask(session)


async def test_a_receipt_two_hours_after_its_document(
    session: AttestedSession, gateway: FakeGateway, clock: Clock
) -> None:
    lying(gateway, time_ms=gateway.enclave.cached.timestamp_ms + 2 * HOUR_MS + 1)
    with pytest.raises(ReceiptRefused, match=ProofCode.AFTER_DOCUMENT):
        await ask(session)


async def test_a_receipt_signed_by_another_boot(
    session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI
) -> None:
    await session.attest()
    gateway.enclave.sign = FakeEnclave(pki).sign  # type: ignore[method-assign]  # the lie
    with pytest.raises(ReceiptRefused) as caught:
        await ask(session)
    assert caught.value.reason == ProofCode.SIGNATURE


def end(*others: Event) -> list[Event]:
    return [GenerationEnd("stop", 7, 6), *others]


Bodies = Callable[[bytes], Sequence[Sequence[Event]]]
FORMS: dict[str, tuple[type[StrongroomError], Bodies]] = {
    "none": (ReceiptRefused, lambda receipt: [[TextDelta("a")], end()]),
    "no event at all": (ReceiptRefused, lambda receipt: [[]]),
    "before the end": (SealBroken, lambda receipt: [[Receipt(receipt), *end()]]),
    "twice": (SealBroken, lambda receipt: [end(Receipt(receipt), Receipt(receipt))]),
    "not in the last chunk": (SealBroken, lambda receipt: [end(Receipt(receipt)), []]),
    "without an end": (SealBroken, lambda receipt: [[TextDelta("a")], [Receipt(receipt)]]),
    "after two ends": (SealBroken, lambda receipt: [end(), end(Receipt(receipt))]),
    "no receipt's bytes": (ReceiptRefused, lambda receipt: [end(Receipt(b"x"))]),
    "an altered one": (ReceiptRefused, lambda receipt: [end(Receipt(receipt[:-1] + bytes([receipt[-1] ^ 1])))]),
    "of other words": (ReceiptRefused, lambda receipt: [[TextDelta("b")], end(Receipt(receipt))]),
}


@pytest.mark.parametrize("name", FORMS)
async def test_a_receipt_out_of_place(session: AttestedSession, gateway: FakeGateway, name: str) -> None:
    error, bodies = FORMS[name]

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        enclave, message = gateway.enclave, gateway.messages[-1]
        asked = enclave.open(message)
        sealer = ResponseSealer(asked.secret, message, MEDIA_SEALED_STREAM, enclave.cached.payload_digest)
        receipt = enclave.receipt(message, asked, sealer.salt, end(), chunks=1)
        return await gateway.send(request, enclave.seal(sealer, MEDIA_SEALED_STREAM, bodies(receipt)))

    gateway.faults[PATH_SEALED] = answer
    with pytest.raises(error):
        await ask(session, stream=True)


async def test_the_document_is_fetched_once(session: AttestedSession, gateway: FakeGateway, clock: Clock) -> None:
    await session.attest()
    await asyncio.gather(*(ask(session) for _ in range(20)))
    await ask(session)
    fetched = [path for path in gateway.seen if path.startswith(BY_DIGEST)]
    assert fetched == [BY_DIGEST + gateway.enclave.cached.payload_digest.hex()]
    clock.now_ms += 1000
    gateway.enclave.refresh()
    await ask(session)
    assert len([path for path in gateway.seen if path.startswith(BY_DIGEST)]) == 2


async def test_a_document_of_another_boot_that_the_policy_accepts(
    session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI, clock: Clock
) -> None:
    """The answer's own enclave names, and the gateway serves, an equal enclave's document (R14)."""
    await session.attest()
    asked, other = gateway.enclave, FakeEnclave(pki, clock=clock)
    asked.cached, asked.documents = other.cached, other.documents
    gateway.faults[BY_DIGEST] = respond(body=other.evidence_of(other.cached.payload_digest), media_type=MEDIA_EVIDENCE)
    with pytest.raises(ReceiptRefused, match="another boot's"):
        await ask(session)


async def test_another_document_than_the_answer_names(
    session: AttestedSession, gateway: FakeGateway, clock: Clock
) -> None:
    earlier = gateway.enclave.cached.payload_digest
    clock.now_ms += 1000
    gateway.enclave.refresh()
    gateway.faults[BY_DIGEST] = respond(body=gateway.enclave.evidence_of(earlier), media_type=MEDIA_EVIDENCE)
    with pytest.raises(ReceiptRefused, match="the document that the answer names"):
        await ask(session)


async def test_evidence_with_another_key_list(
    session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI
) -> None:
    honest = Evidence.from_bytes(gateway.enclave.evidence_of(gateway.enclave.cached.payload_digest))
    swapped = replace(honest, key_list=FakeEnclave(pki).keys)
    gateway.faults[BY_DIGEST] = respond(body=swapped.to_bytes(), media_type=MEDIA_EVIDENCE)
    with pytest.raises(AttestationRefused, match="its answer was not accepted"):
        await ask(session)


async def test_a_document_beyond_its_age(session: AttestedSession, gateway: FakeGateway, clock: Clock) -> None:
    clock.now_ms += 3 * HOUR_MS + 60_000
    with pytest.raises(AttestationRefused):
        await ask(session)


async def test_a_gateway_that_keeps_the_document_back(new_session: NewSession, gateway: FakeGateway) -> None:
    session = new_session(timeout_s=0.3)
    gateway.faults[BY_DIGEST] = respond(404)
    with pytest.raises(GatewayProblem):
        await ask(session)
    gateway.faults[BY_DIGEST] = gateway.stall
    with pytest.raises(TimedOut):
        await ask(session)
    del gateway.faults[BY_DIGEST]
    assert await ask(session)


async def test_a_failure_needs_its_receipt_too(client: AsyncClient, gateway: FakeGateway) -> None:
    def answer(**claims: Any) -> Sealed:
        return gateway.enclave.answer(gateway.messages[-1], [FAILURE], **claims)

    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        return await gateway.send(request, answer())

    async def refuse_and_lie(request: web.BaseRequest) -> web.StreamResponse:
        return await gateway.send(request, answer(outcome=Outcome.COMPLETE))

    gateway.faults[PATH_SEALED] = refuse
    with pytest.raises(RequestRefused) as caught:
        await client.chat("Where?")
    assert caught.value.receipt
    gateway.faults[PATH_SEALED] = refuse_and_lie
    with pytest.raises(ReceiptRefused):
        await client.chat("Where?")


@pytest.mark.parametrize("stream", [False, True])
async def test_whole_answers_and_vectors_and_tensors_are_kept_back(
    client: AsyncClient, gateway: FakeGateway, stream: bool
) -> None:
    lying(gateway, request_id=bytes(16))
    streamed = client.chat("Where?", stream=True)
    with pytest.raises(ReceiptRefused):
        _ = [piece async for piece in streamed] if stream else await client.chat("Where?")
    with pytest.raises(StrongroomError):
        _ = streamed.answer
    with pytest.raises(ReceiptRefused):
        await client.embed(["a"])
    with pytest.raises(ReceiptRefused):
        await client.infer("m", {"x": Tensor("int8", [1], b"1")})
