"""KMS envelopes at the enclave: the entry, the sealer's terms, one refusal for all that is wrong (R7, R8)."""

import secrets
from pathlib import Path

import pytest

from enclave.errors import KMSRefused, KMSUnreachable
from enclave.serving.refused import Refused
from strongroom.protocol.configuration import Limits
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import Failure, Outputs
from strongroom.protocol.problems import Problem
from tests.enclave.caller import DAY_MS, INFER, Caller, ready
from tests.enclave.deployment import configuration, request_key

REQUESTS, OTHERS = request_key(), request_key("others", tenant="other")


@pytest.fixture
async def caller(tensor_dir: Path) -> Caller:
    return await ready(
        tensor_dir, deployment=configuration(requests=[REQUESTS, OTHERS], limits=Limits(replay_entries=64))
    )


async def refusal(caller: Caller, message: bytes) -> Problem:
    with pytest.raises(Refused) as caught:
        await caller.service.open(message)
    return caught.value.problem


@pytest.mark.parametrize("stream", [False, True])
async def test_what_rested_for_months_is_answered(caller: Caller, stream: bool) -> None:
    answer = await caller.ask(caller.envelope(REQUESTS, age_ms=300 * DAY_MS, stream=stream))
    assert isinstance(answer.events[0], Outputs)


async def test_each_entry_opens_its_own(caller: Caller) -> None:
    for entry in (REQUESTS, OTHERS):
        assert (await caller.ask(caller.envelope(entry))).receipt.claims.key_policies.keys() == {"models", entry.id}


async def test_a_data_key_is_asked_for_once(caller: Caller) -> None:
    wrapped = caller.kms.wrap(REQUESTS)
    for _ in range(5):
        await caller.ask(caller.envelope(REQUESTS, wrapped=wrapped))
    assert len(caller.kms.asked) == 1


async def test_the_key_id_alone_tells_a_stale_key(caller: Caller) -> None:
    foreign = request_key(tenant="foreign")
    message = caller.envelope(foreign)
    _, size = SealedRequestHead.read(message)
    for bad in (message, message[:-1], message[:size], message + b"x"):
        assert await refusal(caller, bad) is Problem.STALE_KEY
    assert caller.kms.asked == []


async def test_neither_way_in_takes_the_others_key_id(caller: Caller) -> None:
    sealed, envelope = bytearray(caller.seal(model="tiny-tensor")), bytearray(caller.envelope(REQUESTS))
    sealed[5], envelope[5] = 3, 1
    assert await refusal(caller, bytes(sealed)) is Problem.STALE_KEY
    assert await refusal(caller, bytes(envelope)) is Problem.STALE_KEY


async def test_a_key_entry_of_models_opens_no_request(caller: Caller) -> None:
    [models] = [entry for entry in caller.enclave.configuration.key if entry.purpose == "model"]
    assert await refusal(caller, caller.envelope(models)) is Problem.STALE_KEY


async def test_whatever_is_wrong_is_rejected_alike(caller: Caller) -> None:
    """Cut, altered in each part, under a data key of another entry, or under none that KMS knows."""
    message = caller.envelope(REQUESTS)
    _, size = SealedRequestHead.read(message)
    altered = []
    for at in (8 + 32 + 3, size + 5, size + 40, len(message) - 40, len(message) - 1):
        changed = bytearray(message)
        changed[at] ^= 1
        altered.append(bytes(changed))
    bad = [
        *altered,
        message[:-1],
        message[: size + 33],
        message[:size] + bytes(32) + b"\0\0" + message[size + 34 :],
        message[:size] + bytes(32) + b"\xff\xff" + message[size + 34 :],
        caller.envelope(REQUESTS, wrapped=caller.kms.wrap(OTHERS)),
        caller.envelope(REQUESTS, wrapped=(bytes(32), b"unknown")),
        caller.envelope(REQUESTS, wrapped=(bytes(32), caller.kms.wrap(REQUESTS)[1])),
    ]
    for each in bad:
        assert await refusal(caller, each) is Problem.REJECTED


@pytest.mark.parametrize(
    ("fault", "problem", "code"),
    [
        (KMSRefused("kms-access-denied", "CANARY"), Problem.REJECTED, b"kms-access-denied"),
        (KMSUnreachable("CANARY"), Problem.BUSY, b"kms-unreachable"),
    ],
)
async def test_kms_decides_and_the_log_says_how(
    caller: Caller, fault: Exception, problem: Problem, code: bytes
) -> None:
    caller.kms.fault = fault
    assert await refusal(caller, caller.envelope(REQUESTS)) is problem
    log = b"".join(caller.enclave.log._lines)
    assert b'"event":"data-key-refused","key":"requests","code":"' + code in log
    assert b"CANARY" not in log
    caller.kms.fault = None
    assert await refusal(caller, b"") is Problem.REJECTED
    await caller.ask(caller.envelope(REQUESTS))


@pytest.mark.parametrize("single_use", [False, True])
async def test_past_its_time_the_answer_is_expired_inside_the_seal_each_time(caller: Caller, single_use: bool) -> None:
    rest = caller.rest(after_ms=-1, single_use=single_use)
    message = caller.envelope(REQUESTS, rest=rest, age_ms=1000)
    for _ in range(2):
        [event] = (await caller.ask(message)).events
        assert isinstance(event, Failure)
        assert event.code == "expired"


async def test_not_after_itself_is_in_time(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    message = caller.envelope(REQUESTS, rest=caller.rest(after_ms=DAY_MS))
    admitted = await caller.service.open(message)
    assert admitted.request.rest is not None
    for after_ms, expired in ((0, False), (1, True)):
        at_ms = admitted.request.rest.not_after_ms + after_ms
        monkeypatch.setattr(caller.clock, "now_ms", lambda at_ms=at_ms: at_ms)
        assert (await caller.service.open(message)).expired is expired


async def test_single_use_is_once_a_boot_and_the_rest_as_often_as_it_comes(caller: Caller, tensor_dir: Path) -> None:
    once = caller.envelope(REQUESTS, rest=caller.rest(single_use=True))
    often = caller.envelope(REQUESTS)
    for _ in range(3):
        await caller.ask(often)
    await caller.ask(once)
    assert await refusal(caller, once) is Problem.REPLAYED
    second = await ready(tensor_dir, deployment=caller.enclave.configuration)
    second.kms.keys, second.secret = caller.kms.keys, caller.secret
    await second.ask(once)


async def test_single_use_is_remembered_to_its_end_and_refused_rather_than_forgotten(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = caller.rest(after_ms=DAY_MS, single_use=True)
    wrapped = caller.kms.wrap(REQUESTS)
    first = caller.envelope(REQUESTS, rest=rest, wrapped=wrapped)
    await caller.admit(first)
    flood = [caller.envelope(REQUESTS, rest=rest, wrapped=wrapped) for _ in range(640)]
    verdicts = [await verdict(caller, each) for each in flood]
    assert verdicts == [None] * 63 + [Problem.BUSY] * 577
    assert await refusal(caller, first) is Problem.REPLAYED
    assert await refusal(caller, flood[-1]) is Problem.BUSY
    await caller.ask(caller.envelope(REQUESTS, wrapped=wrapped))
    monkeypatch.setattr(caller.clock, "now_ms", lambda: rest.not_after_ms)
    assert await refusal(caller, first) is Problem.REPLAYED
    monkeypatch.setattr(caller.clock, "now_ms", lambda: rest.not_after_ms + DAY_MS)
    later = caller.envelope(REQUESTS, rest=caller.rest(single_use=True))
    await caller.service.open(later)
    assert (await caller.service.open(first)).expired


async def verdict(caller: Caller, message: bytes) -> Problem | None:
    try:
        await caller.admit(message)
    except Refused as refused:
        return refused.problem
    return None


async def test_single_uses_of_two_entries_do_not_meet(caller: Caller) -> None:
    request_id, rest = secrets.token_bytes(16), caller.rest(single_use=True)
    for entry in (REQUESTS, OTHERS):
        await caller.ask(caller.envelope(entry, rest=rest, request_id=request_id))


async def test_whoever_fills_the_memory_of_one_entry_keeps_nobody_out_of_another(caller: Caller) -> None:
    rest, wrapped = caller.rest(single_use=True), caller.kms.wrap(REQUESTS)
    for _ in range(64):
        await caller.admit(caller.envelope(REQUESTS, rest=rest, wrapped=wrapped))
    assert await refusal(caller, caller.envelope(REQUESTS, rest=rest, wrapped=wrapped)) is Problem.BUSY
    await caller.ask(caller.envelope(OTHERS, rest=rest))


@pytest.mark.parametrize("envelope", [False, True])
async def test_while_its_model_has_no_room_nothing_is_used_up(
    caller: Caller, envelope: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    single_use = caller.envelope(REQUESTS, rest=caller.rest(single_use=True))
    message = single_use if envelope else caller.seal(INFER, model="tiny-tensor")
    with monkeypatch.context() as patched:
        patched.setattr(caller.enclave.engine._runners["tiny-tensor"], "_limit", 0)
        assert await refusal(caller, message) is Problem.BUSY
    assert isinstance((await caller.ask(message)).events[0], Outputs)
    assert await refusal(caller, message) is Problem.REPLAYED


async def test_what_was_forged_uses_nothing_up(caller: Caller) -> None:
    message = caller.envelope(REQUESTS, rest=caller.rest(single_use=True))
    forged = bytearray(message)
    forged[-1] ^= 1
    assert await refusal(caller, bytes(forged)) is Problem.REJECTED
    await caller.ask(message)
