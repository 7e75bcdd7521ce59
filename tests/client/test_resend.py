"""Stale keys, forged or not: one new attestation, at most one resend, and never one for another reason (review R20)."""

import asyncio

import pytest
from aiohttp import web

from strongroom.client.errors import (
    GatewayProblem,
    StaleKey,
    StrongroomError,
)
from strongroom.client.session import AttestedSession
from strongroom.protocol.constants import (
    PATH_EVIDENCE,
    PATH_SEALED,
)
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import GenerationEnd, TextDelta
from strongroom.protocol.problems import Problem
from strongroom.simulator.pki import SimulatedPKI
from tests.client.asking import ask
from tests.client.fake_enclave import PIECES, Clock, FakeEnclave
from tests.client.fake_gateway import FakeGateway, problem

ANSWER = [TextDelta("".join(PIECES)), GenerationEnd("stop", 7, len(PIECES))]


async def test_a_restart_costs_one_resend_with_a_new_id_and_secret(
    session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI, clock: Clock
) -> None:
    await session.attest()
    gateway.enclave = FakeEnclave(pki, clock=clock)
    assert await ask(session) == ANSWER
    first, second = (SealedRequestHead.read(message)[0] for message in gateway.messages)
    assert first.request_id != second.request_id
    assert first.key_id != second.key_id
    assert gateway.count(PATH_EVIDENCE) == 2


async def test_a_forged_stale_key_gets_nothing_twice(session: AttestedSession, gateway: FakeGateway) -> None:
    async def forge(request: web.BaseRequest) -> web.StreamResponse:
        if len(gateway.messages) == 1:
            gateway.enclave.open(gateway.messages[0])
            return problem(Problem.STALE_KEY)
        return await gateway.sealed(request)

    gateway.faults[PATH_SEALED] = forge
    await ask(session)
    (first, first_request), (second, second_request) = gateway.enclave.opened
    assert first.request_id != second.request_id
    assert first_request.secret != second_request.secret
    assert first_request.task == second_request.task


async def test_a_second_stale_key_is_the_end(session: AttestedSession, gateway: FakeGateway) -> None:
    async def stale(request: web.BaseRequest) -> web.StreamResponse:
        return problem(Problem.STALE_KEY)

    gateway.faults[PATH_SEALED] = stale
    with pytest.raises(StaleKey):
        await ask(session)
    assert len(gateway.messages) == 2
    assert gateway.count(PATH_EVIDENCE) == 2


async def test_a_restart_into_another_image_gets_nothing(
    session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI, clock: Clock
) -> None:
    await session.attest()
    image = dict.fromkeys(range(3), b"another image".ljust(48))
    gateway.enclave = FakeEnclave(pki, clock=clock, image=image)
    with pytest.raises(StrongroomError, match="PCR0"):
        await ask(session)
    assert len(gateway.messages) == 1
    assert gateway.enclave.opened == []


async def test_fifty_callers_after_a_restart_attest_once(
    session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI, clock: Clock
) -> None:
    await session.attest()
    gateway.enclave = FakeEnclave(pki, clock=clock)
    answers = await asyncio.gather(*(ask(session) for _ in range(50)))
    assert answers == [ANSWER] * 50
    assert gateway.count(PATH_EVIDENCE) == 2
    assert len(gateway.messages) == 100
    assert len(set(gateway.messages)) == 100


async def test_a_late_stale_key_costs_no_further_attestation(
    session: AttestedSession, gateway: FakeGateway, pki: SimulatedPKI, clock: Clock
) -> None:
    await session.attest()
    gateway.enclave = FakeEnclave(pki, clock=clock)
    release = asyncio.Event()

    async def hold_the_first(request: web.BaseRequest) -> web.StreamResponse:
        if len(gateway.messages) == 1:
            gateway.stalled.set()
            await release.wait()
            return problem(Problem.STALE_KEY)
        return await gateway.sealed(request)

    gateway.faults[PATH_SEALED] = hold_the_first
    late = asyncio.create_task(ask(session))
    await asyncio.wait_for(gateway.stalled.wait(), 5)
    await ask(session)
    release.set()
    await late
    assert gateway.count(PATH_EVIDENCE) == 2


@pytest.mark.parametrize("known", [known for known in Problem if known is not Problem.STALE_KEY])
async def test_no_other_problem_is_answered_with_a_resend(
    session: AttestedSession, gateway: FakeGateway, known: Problem
) -> None:
    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        return problem(known)

    gateway.faults[PATH_SEALED] = refuse
    with pytest.raises(GatewayProblem) as caught:
        await ask(session)
    assert (caught.value.status, caught.value.problem) == (known.status, known)
    told = f"{len(gateway.messages[0])} bytes" in str(caught.value)
    assert told == (known is Problem.TOO_LARGE)
    assert len(gateway.messages) == 1
