"""Submitting many files from Python: some at a time, told once each, stopped without a loss, and gone on with."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from strongroom.client.errors import GatewayProblem, InvalidArgument
from strongroom.client.resting.outcomes import FileOutcome
from strongroom.protocol.constants import PATH_SEALED
from strongroom.protocol.problems import Problem
from tests.client.fake_gateway import BY_DIGEST, problem, respond
from tests.client.resting import NAMES, Desk

ANSWERS = [f"{name}.answer" for name in NAMES]


async def refuse_as_replayed(request: web.BaseRequest) -> web.StreamResponse:
    return problem(Problem.REPLAYED)


async def test_each_file_is_answered_and_told_once(desk: Desk) -> None:
    desk.seal()
    told: list[FileOutcome] = []
    assert await desk.submit(told.append) == ["answered"] * 3
    assert sorted(outcome.file.name for outcome in told) == [f"{name}.sealed" for name in NAMES]
    before = desk.contents("answers/*")
    assert list(before) == ANSWERS
    assert await desk.submit() == ["kept"] * 3
    assert desk.contents("answers/*") == before
    assert len(desk.gateway.messages) == 3


@pytest.mark.parametrize("parallel", [1, 2])
async def test_a_run_that_was_stopped_goes_on(desk: Desk, parallel: int) -> None:
    """Those under way are finished; none is asked for twice."""
    desk.seal()
    stopping = asyncio.Event()
    first = await desk.submit(lambda outcome: stopping.set(), stopping=stopping, parallel=parallel)
    assert first == ["answered"] * parallel
    assert list(desk.contents("answers/*")) == ANSWERS[:parallel]
    assert await desk.submit(parallel=1) == ["kept"] * parallel + ["answered"] * (3 - parallel)
    assert len(desk.gateway.messages) == 3


async def test_a_run_that_was_cancelled_goes_on(desk: Desk) -> None:
    desk.seal()

    async def stall_at_the_second(request: web.BaseRequest) -> web.StreamResponse:
        second = len(desk.gateway.messages) == 2
        return await (desk.gateway.stall(request) if second else desk.gateway.sealed(request))

    desk.gateway.faults[PATH_SEALED] = stall_at_the_second
    run = asyncio.create_task(desk.submit(parallel=1))
    async with asyncio.timeout(10):
        await desk.gateway.stalled.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [path.name for path in (desk.folder / "answers").iterdir()] == ANSWERS[:1]
    assert await desk.submit(parallel=1) == ["kept", "answered", "answered"]


async def test_one_refusal_does_not_stop_the_others(desk: Desk) -> None:
    desk.seal()

    async def refuse_the_first(request: web.BaseRequest) -> web.StreamResponse:
        first = len(desk.gateway.messages) == 1
        return problem(Problem.REPLAYED) if first else await desk.gateway.sealed(request)

    desk.gateway.faults[PATH_SEALED] = refuse_the_first
    told: list[FileOutcome] = []
    assert await desk.submit(told.append, parallel=1) == ["gateway-problem", "answered", "answered"]
    assert isinstance(told[0].error, GatewayProblem)
    assert told[0].error.problem is Problem.REPLAYED
    assert await desk.submit(parallel=1) == ["answered", "kept", "kept"]


async def test_an_answer_that_came_is_not_lost_for_want_of_evidence(desk: Desk) -> None:
    """It is there for the next run, which asks for evidence alone: the enclave would answer no second time."""
    desk.seal()
    desk.gateway.faults[BY_DIGEST] = respond(502)
    assert await desk.submit() == ["gateway-problem"] * 3
    assert list(desk.contents("answers/*")) == [f"{name}.response" for name in NAMES]
    del desk.gateway.faults[BY_DIGEST]
    desk.gateway.faults[PATH_SEALED] = refuse_as_replayed
    assert await desk.submit() == ["answered"] * 3
    assert list(desk.contents("answers/*")) == ANSWERS
    assert desk.open() == ["opened"] * 3


async def test_an_answer_that_came_by_force_is_not_lost_either(desk: Desk) -> None:
    """The earlier answer stands until there is evidence; force again would ask again, and in vain."""
    desk.seal()
    await desk.submit()
    before = desk.contents("answers/*")
    desk.seal(force=True)
    desk.gateway.faults[BY_DIGEST] = respond(502)
    assert await desk.submit(force=True) == ["gateway-problem"] * 3
    assert desk.contents("answers/*.answer") == before
    del desk.gateway.faults[BY_DIGEST]
    desk.gateway.faults[PATH_SEALED] = refuse_as_replayed
    assert await desk.submit() == ["answered"] * 3
    assert list(desk.contents("answers/*")) == ANSWERS
    assert desk.open() == ["opened"] * 3


async def test_nothing_is_asked_for_that_has_no_place(desk: Desk) -> None:
    """The enclave would answer no second time."""
    desk.seal()
    told: list[FileOutcome] = []
    assert await desk.submit(told.append, out=Path("/proc")) == ["failed"] * 3  # not even root can write there
    assert {getattr(outcome.error, "filename", None) for outcome in told} == {"/proc"}
    assert desk.gateway.messages == []


async def test_a_response_to_another_request_is_replaced_by_force_only(desk: Desk) -> None:
    desk.seal()
    desk.gateway.faults[BY_DIGEST] = respond(502)
    await desk.submit()
    desk.seal(force=True)
    (desk.folder / "answers" / "b.txt.response").write_bytes(b"notes of somebody")
    del desk.gateway.faults[BY_DIGEST]
    before = desk.contents("answers/*")
    assert await desk.submit() == ["exists"] * 3
    assert desk.contents("answers/*") == before
    assert await desk.submit(force=True) == ["answered"] * 3
    assert list(desk.contents("answers/*")) == ANSWERS


async def test_as_many_at_a_time_as_asked_for(desk: Desk) -> None:
    desk.seal()
    under_way, most = 0, 0

    async def count(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal under_way, most
        answer = desk.gateway.enclave.answer(desk.gateway.messages[-1])
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        return await desk.gateway.send(request, answer)

    desk.gateway.faults[PATH_SEALED] = count
    await desk.submit(parallel=2)
    assert most == 2


async def test_a_progress_that_fails_costs_no_answer(desk: Desk) -> None:
    """Neither its own file's nor those under way."""
    desk.seal()

    async def slow_but_the_first(request: web.BaseRequest) -> web.StreamResponse:
        answer = desk.gateway.enclave.answer(desk.gateway.messages[-1])
        await asyncio.sleep(0.1 * (len(desk.gateway.messages) - 1))
        return await desk.gateway.send(request, answer)

    def fail(outcome: FileOutcome) -> None:
        raise RuntimeError("nobody reads this")

    desk.gateway.faults[PATH_SEALED] = slow_but_the_first
    with pytest.raises(RuntimeError):
        await desk.submit(fail, parallel=3)
    assert await desk.submit() == ["kept"] * 3


async def test_answers_to_other_requests_are_replaced_by_force_only(desk: Desk) -> None:
    desk.seal()
    await desk.submit()
    desk.seal(force=True)
    assert await desk.submit() == ["exists"] * 3
    assert await desk.submit(force=True) == ["answered"] * 3


@pytest.mark.parametrize("parallel", [0, -1])
async def test_nothing_at_a_time(desk: Desk, parallel: int) -> None:
    with pytest.raises(InvalidArgument, match="parallel"):
        await desk.submit(parallel=parallel)
