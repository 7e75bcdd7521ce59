"""Submitting: form alone is judged; a busy gateway is asked again, anything else is not."""

import math
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from strongroom.client.envelopes import EnvelopeSealer
from strongroom.client.errors import (
    AnswerTruncated,
    GatewayProblem,
    InvalidArgument,
    SealBroken,
    StaleKey,
    StrongroomError,
    TimedOut,
)
from strongroom.client.kept_answers import MAX_RESPONSE_BYTES
from strongroom.client.submitter import Submitter
from strongroom.client.tasks import chat_task
from strongroom.protocol.constants import MEDIA_EVIDENCE, MEDIA_PROBLEM, MEDIA_SEALED_RESPONSE, PATH_SEALED
from strongroom.protocol.messages import SealedResponseHead
from strongroom.protocol.problems import Problem
from strongroom.simulator.pki import SimulatedPKI
from tests.client.fake_enclave import CONFIGURATION, FakeEnclave
from tests.client.fake_gateway import BY_DIGEST, FakeGateway, Handler, problem, respond


@pytest.fixture
async def submitter(gateway: FakeGateway) -> AsyncIterator[Submitter]:
    async with Submitter(gateway.url, timeout_s=5.0, waits_s=(0.0, 0.0)) as submitter:
        yield submitter


@pytest.fixture
def sealed(gateway: FakeGateway) -> bytes:
    sealer = EnvelopeSealer.generate(gateway.enclave.kms, CONFIGURATION, "requests")
    now_ms = gateway.enclave.clock()
    return sealer.seal(chat_task("canary"), model="tiny", not_after_ms=now_ms + 1000, at_ms=now_ms).sealed


def at_first(times: int, handler: Handler, then: Handler) -> Handler:
    """`handler` that many times, then the other."""
    calls = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        calls.append(request)
        return await (handler if len(calls) <= times else then)(request)

    return handle


def refusing(known: Problem) -> Handler:
    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        return problem(known)

    return refuse


@pytest.mark.parametrize("known", [Problem.BUSY, Problem.NOT_READY])
async def test_a_busy_gateway_is_asked_again(
    gateway: FakeGateway, submitter: Submitter, sealed: bytes, known: Problem
) -> None:
    gateway.faults[PATH_SEALED] = at_first(2, refusing(known), gateway.sealed)
    assert await submitter.submit(sealed)
    assert len(gateway.messages) == 3


async def test_a_gateway_that_stays_busy(gateway: FakeGateway, submitter: Submitter, sealed: bytes) -> None:
    gateway.faults[PATH_SEALED] = refusing(Problem.BUSY)
    with pytest.raises(GatewayProblem, match="busy"):
        await submitter.submit(sealed)
    assert len(gateway.messages) == 3


@pytest.mark.parametrize(
    ("known", "error"),
    [
        (Problem.REJECTED, GatewayProblem),
        (Problem.REPLAYED, GatewayProblem),
        (Problem.STALE_KEY, StaleKey),
        (Problem.ENCLAVE_TIMED_OUT, GatewayProblem),
    ],
)
async def test_what_may_have_been_processed_is_never_sent_again(
    gateway: FakeGateway, submitter: Submitter, sealed: bytes, known: Problem, error: type[StrongroomError]
) -> None:
    gateway.faults[PATH_SEALED] = refusing(known)
    with pytest.raises(error):
        await submitter.submit(sealed)
    assert len(gateway.messages) == 1


async def test_evidence_is_asked_for_again_whatever_went_wrong(
    gateway: FakeGateway, submitter: Submitter, sealed: bytes
) -> None:
    gateway.faults[BY_DIGEST] = at_first(2, respond(502), gateway.evidence_of)
    assert await submitter.submit(sealed)
    assert len(gateway.messages) == 1


async def test_evidence_with_another_document(
    gateway: FakeGateway, submitter: Submitter, sealed: bytes, pki: SimulatedPKI
) -> None:
    another = respond(body=FakeEnclave(pki).evidence(None), media_type=MEDIA_EVIDENCE)
    gateway.faults[BY_DIGEST] = another
    with pytest.raises(SealBroken, match="the document that the answer names"):
        await submitter.submit(sealed)
    gateway.faults[BY_DIGEST] = at_first(2, another, gateway.evidence_of)
    assert await submitter.submit(sealed)


HEAD_BYTES = SealedResponseHead.SIZE_BYTES
CUTS: dict[str, tuple[type[StrongroomError], Callable[[bytes], bytes]]] = {
    "its head alone": (AnswerTruncated, lambda whole: whole[:HEAD_BYTES]),
    "a part of the chunk's head": (AnswerTruncated, lambda whole: whole[: HEAD_BYTES + 4]),
    "the chunk's head alone": (AnswerTruncated, lambda whole: whole[: HEAD_BYTES + 5]),
    "all but a byte": (AnswerTruncated, lambda whole: whole[:-1]),
    "a byte more": (SealBroken, lambda whole: whole + b"x"),
    "a chunk that is not the last": (SealBroken, lambda whole: whole[:HEAD_BYTES] + b"\0" + whole[HEAD_BYTES + 1 :]),
    "a chunk beyond any": (SealBroken, lambda whole: whole[:HEAD_BYTES] + b"\1\xff\xff\xff\xff" + whole[-64:]),
    "an empty chunk": (SealBroken, lambda whole: whole[:HEAD_BYTES] + bytes([1, 0, 0, 0, 0])),
}


@pytest.mark.parametrize("name", CUTS)
async def test_an_answer_that_is_not_whole_is_not_kept(
    gateway: FakeGateway, submitter: Submitter, sealed: bytes, name: str
) -> None:
    error, cut = CUTS[name]
    answer = gateway.enclave.answer(sealed)
    gateway.faults[PATH_SEALED] = respond(body=cut(answer.to_bytes()), media_type=answer.media_type)
    with pytest.raises(error):
        await submitter.submit(sealed)
    assert len(gateway.seen) == 1


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, math.nan, math.inf])
def test_a_timeout_that_is_none(timeout_s: float) -> None:
    with pytest.raises(InvalidArgument, match="timeout_s"):
        Submitter("http://127.0.0.1", timeout_s=timeout_s)


FORMS: dict[str, tuple[type[StrongroomError], Handler]] = {
    "plain": (SealBroken, respond(body=b"hello", media_type="text/plain")),
    "empty": (SealBroken, respond(media_type=MEDIA_SEALED_RESPONSE)),
    "no head": (SealBroken, respond(body=b"x" * 500, media_type=MEDIA_SEALED_RESPONSE)),
    "endless": (SealBroken, respond(body=bytes(MAX_RESPONSE_BYTES + 1), media_type=MEDIA_SEALED_RESPONSE)),
    "a redirect": (GatewayProblem, respond(302, Location="/elsewhere")),
    "a lie about a problem": (GatewayProblem, respond(503, b"{}", MEDIA_PROBLEM)),
}


@pytest.mark.parametrize("name", FORMS)
async def test_what_is_no_answer(gateway: FakeGateway, submitter: Submitter, sealed: bytes, name: str) -> None:
    error, handler = FORMS[name]
    gateway.faults[PATH_SEALED] = handler
    with pytest.raises(error):
        await submitter.submit(sealed)
    assert len(gateway.messages) == 1


async def test_the_answer_to_another_request(gateway: FakeGateway, submitter: Submitter, sealed: bytes) -> None:
    first = gateway.enclave.answer(sealed)
    other = EnvelopeSealer.generate(gateway.enclave.kms, CONFIGURATION, "requests")
    now_ms = gateway.enclave.clock()
    ticket = other.seal(chat_task("b"), model="tiny", not_after_ms=now_ms + 1000, at_ms=now_ms)
    gateway.faults[PATH_SEALED] = lambda request: gateway.send(request, first)
    with pytest.raises(SealBroken, match="another's"):
        await submitter.submit(ticket.sealed)


async def test_a_connection_that_breaks(gateway: FakeGateway, submitter: Submitter, sealed: bytes) -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MEDIA_SEALED_RESPONSE, "Content-Length": "900"})
        await response.prepare(request)
        assert request.transport is not None
        request.transport.close()
        return response

    gateway.faults[PATH_SEALED] = cut
    with pytest.raises(AnswerTruncated):
        await submitter.submit(sealed)


async def test_a_silent_gateway(gateway: FakeGateway, sealed: bytes) -> None:
    gateway.faults[PATH_SEALED] = gateway.stall
    async with Submitter(gateway.url, timeout_s=0.2) as submitter:
        with pytest.raises(TimedOut):
            await submitter.submit(sealed)


@pytest.mark.parametrize("sealed", [b"", b"x" * 200, b"SRQ\x01" + bytes(300)])
async def test_bytes_that_are_no_envelope_are_not_sent(
    gateway: FakeGateway, submitter: Submitter, sealed: bytes
) -> None:
    with pytest.raises(InvalidArgument):
        await submitter.submit(sealed)
    assert gateway.seen == []
