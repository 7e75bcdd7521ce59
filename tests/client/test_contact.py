"""First contact and every later one: fresh nonces, bounded reads, one attestation for all who wait."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from attestation.errors import RejectionCode
from attestation.evidence import Evidence
from strongroom.client.errors import (
    AttestationRefused,
    ClientClosed,
    GatewayProblem,
    TimedOut,
    Unreachable,
)
from strongroom.client.session import MAX_AGE_S, AttestedSession
from strongroom.protocol.constants import (
    MEDIA_EVIDENCE,
    MEDIA_PROBLEM,
    PATH_EVIDENCE,
    PATH_SEALED,
)
from strongroom.protocol.problems import Problem
from strongroom.simulator.pki import SimulatedPKI
from tests.client.conftest import NewSession
from tests.client.fake_enclave import Clock, FakeEnclave
from tests.client.fake_gateway import FakeGateway, problem, respond


async def test_every_attestation_asks_with_a_nonce_of_its_own(
    session: AttestedSession, gateway: FakeGateway, clock: Clock
) -> None:
    nonces = []

    async def note(request: web.BaseRequest) -> web.Response:
        nonces.append(request.query["nonce"])
        return await gateway.evidence(request)

    gateway.faults[PATH_EVIDENCE] = note
    await session.attest()
    clock.now_ms += MAX_AGE_S * 1000
    await session.attest()
    assert len(set(nonces)) == 2
    assert {len(nonce) for nonce in nonces} == {64}


async def test_a_replayed_document_is_refused(new_session: NewSession, gateway: FakeGateway) -> None:
    replayed = gateway.enclave.evidence(bytes(32))
    gateway.faults[PATH_EVIDENCE] = respond(body=replayed, media_type=MEDIA_EVIDENCE)
    with pytest.raises(AttestationRefused) as caught:
        await new_session().attest()
    assert caught.value.rejection is not None
    assert caught.value.rejection.code is RejectionCode.NONCE


async def test_keys_swapped_on_the_way(session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI) -> None:
    async def swap(request: web.BaseRequest) -> web.Response:
        honest = Evidence.from_bytes(gateway.enclave.evidence(bytes.fromhex(request.query["nonce"])))
        swapped = replace(honest, key_list=FakeEnclave(pki).keys)
        return web.Response(body=swapped.to_bytes(), content_type=MEDIA_EVIDENCE)

    gateway.faults[PATH_EVIDENCE] = swap
    with pytest.raises(AttestationRefused, match="binding-digest"):
        await session.attest()
    assert gateway.messages == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (respond(body=b"<html>", media_type="text/html"), 200),
        (respond(body=b"x"), 200),
        (respond(body=bytes(49 << 10), media_type=MEDIA_EVIDENCE), 200),
        (respond(body=b"x", media_type=MEDIA_EVIDENCE + "; v=2"), 200),
        (respond(204), 204),
        (respond(302, Location="/elsewhere"), 302),
        (respond(307, Location="/elsewhere"), 307),
        (respond(404), 404),
        (respond(500, body=b"canary" * 99), 500),
    ],
)
async def test_answers_that_are_no_evidence(
    session: AttestedSession, gateway: FakeGateway, answer: Any, status: int
) -> None:
    gateway.faults[PATH_EVIDENCE] = answer
    with pytest.raises(GatewayProblem) as caught:
        await session.attest()
    assert (caught.value.status, caught.value.problem) == (status, None)
    assert "canary" not in str(caught.value)
    assert "/elsewhere" not in gateway.seen


async def test_evidence_without_end_is_not_read(session: AttestedSession, gateway: FakeGateway) -> None:
    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": MEDIA_EVIDENCE})
        await response.prepare(request)
        while True:
            await response.write(bytes(8 << 10))

    gateway.faults[PATH_EVIDENCE] = endless
    with pytest.raises(GatewayProblem):
        await session.attest()


async def test_a_compressed_document_is_not_unpacked(session: AttestedSession, gateway: FakeGateway) -> None:
    async def compressed(request: web.BaseRequest) -> web.StreamResponse:
        response = await gateway.evidence(request)
        response.enable_compression(web.ContentCoding.deflate)
        return response

    gateway.faults[PATH_EVIDENCE] = compressed
    with pytest.raises(AttestationRefused):
        await session.attest()


@pytest.mark.parametrize("known", [Problem.NOT_READY, Problem.ENCLAVE_UNREACHABLE, Problem.ENCLAVE_TIMED_OUT])
async def test_a_problem_is_named(session: AttestedSession, gateway: FakeGateway, known: Problem) -> None:
    gateway.faults[PATH_EVIDENCE] = respond(int(known.status), known.to_bytes(), MEDIA_PROBLEM)
    with pytest.raises(GatewayProblem, match=known.detail) as caught:
        await session.attest()
    assert caught.value.problem is known


async def test_a_stale_key_where_no_key_was_used_is_the_gateways_problem(
    session: AttestedSession, gateway: FakeGateway
) -> None:
    async def stale(request: web.BaseRequest) -> web.Response:
        return problem(Problem.STALE_KEY)

    gateway.faults[PATH_EVIDENCE] = stale
    with pytest.raises(GatewayProblem):
        await session.attest()
    assert gateway.seen == [PATH_EVIDENCE]


async def test_a_key_is_kept_until_it_is_too_old(session: AttestedSession, gateway: FakeGateway, clock: Clock) -> None:
    first = await session.attest()
    clock.now_ms += MAX_AGE_S * 1000 - 1
    assert await session.attest() is first
    clock.now_ms += 1
    assert await session.attest() is not first
    assert gateway.count(PATH_EVIDENCE) == 2


async def test_a_key_is_not_kept_beyond_its_certificates(
    new_session: NewSession, gateway: FakeGateway, clock: Clock
) -> None:
    session = new_session(max_age_s=1 << 20)
    first = await session.attest()
    clock.now_ms = first.verified.valid_until_ms - 1
    assert await session.attest() is first
    clock.now_ms += 1
    assert await session.attest() is not first


async def test_a_clock_set_back_makes_keys_stale(session: AttestedSession, clock: Clock) -> None:
    first = await session.attest()
    clock.now_ms -= 1
    assert await session.attest() is not first


async def test_a_policy_that_ceased_to_match_is_noticed(
    session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI, clock: Clock
) -> None:
    await session.attest()
    gateway.enclave = FakeEnclave(pki, clock=clock, role="arn:aws:iam::999999999999:role/parent")
    clock.now_ms += MAX_AGE_S * 1000
    with pytest.raises(AttestationRefused, match="PCR3"):
        await session.attest()


async def test_fifty_callers_attest_once(session: AttestedSession, gateway: FakeGateway) -> None:
    keys = await asyncio.gather(*(session.attest() for _ in range(50)))
    assert len({id(key) for key in keys}) == 1
    assert gateway.count(PATH_EVIDENCE) == 1


async def test_fifty_callers_share_a_failure_and_the_next_one_tries_again(
    session: AttestedSession, gateway: FakeGateway
) -> None:
    gateway.faults[PATH_EVIDENCE] = respond(503)
    outcomes = await asyncio.gather(*(session.attest() for _ in range(50)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {GatewayProblem}
    assert gateway.count(PATH_EVIDENCE) == 1
    gateway.faults.clear()
    await session.attest()


async def test_one_caller_that_gives_up_does_not_take_the_attempt_away(
    session: AttestedSession, gateway: FakeGateway
) -> None:
    release = asyncio.Event()

    async def hold(request: web.BaseRequest) -> web.Response:
        gateway.stalled.set()
        await release.wait()
        return await gateway.evidence(request)

    gateway.faults[PATH_EVIDENCE] = hold
    impatient, patient = asyncio.create_task(session.attest()), asyncio.create_task(session.attest())
    await asyncio.wait_for(gateway.stalled.wait(), 5)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    release.set()
    assert await patient is await session.attest()
    assert gateway.count(PATH_EVIDENCE) == 1


async def test_closing_ends_an_attempt_and_tells_who_waits(session: AttestedSession, gateway: FakeGateway) -> None:
    gateway.faults[PATH_EVIDENCE] = gateway.stall
    waiting = asyncio.create_task(session.attest())
    await asyncio.wait_for(gateway.stalled.wait(), 5)
    await session.close()
    with pytest.raises(ClientClosed):
        await waiting
    await asyncio.wait_for(gateway.gone.wait(), 5)


async def test_a_silent_gateway(new_session: NewSession, gateway: FakeGateway) -> None:
    gateway.faults[PATH_EVIDENCE] = gateway.stall
    with pytest.raises(TimedOut, match=r"0\.05 s"):
        await new_session(timeout_s=0.05).attest()


async def test_a_dead_gateway(new_session: NewSession, gateway: FakeGateway) -> None:
    session = new_session()
    await gateway.stop()
    with pytest.raises(Unreachable):
        await session.attest()
    await gateway.start()


async def test_nothing_is_sealed_before_evidence(session: AttestedSession, gateway: FakeGateway) -> None:
    gateway.faults[PATH_EVIDENCE] = respond(500)
    with pytest.raises(GatewayProblem):
        await session.attest()
    assert PATH_SEALED not in gateway.seen
