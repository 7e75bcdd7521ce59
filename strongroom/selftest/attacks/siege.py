"""The siege of the frail enclave: it is lied to, flooded, killed and booted again."""

import asyncio
import time

from attestation.evidence import Evidence
from strongroom.protocol.constants import PATH_EVIDENCE, REQUEST_ID_BYTES, SECRET_BYTES
from strongroom.protocol.keys import KeyList
from strongroom.protocol.payloads import Request
from strongroom.protocol.problems import Problem
from strongroom.protocol.requests import seal_request
from strongroom.selftest.attacks.evidence import ANOTHER_DEPLOYMENT
from strongroom.selftest.attacks.kms import FORGE_AT_BOOT, FORGE_REPLY
from strongroom.selftest.deployments import FLOODED_ENTRIES
from strongroom.selftest.gateway import Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.trial import Attack, Inconclusive, Seat, Trial, answered

_FLOOD = 10 * FLOODED_ENTRIES
_REPLAYED = 8
_AT_A_TIME = 16


async def flood(trial: Trial) -> bool:
    """Fill the replay cache ten times over with ids of the parent's own, then deliver what was answered before."""
    frail = trial.enclaves.frail
    served = await _served(trial)
    evidence = Evidence.from_bytes((await frail.get(PATH_EVIDENCE)).body)
    [key, *_] = KeyList.from_bytes(evidence.key_list).configurations
    turn = asyncio.Semaphore(_AT_A_TIME)

    async def fill() -> int:
        async with turn:
            rng, request = trial.rng, Request(trial.rng.randbytes(SECRET_BYTES), False, trial.tensor().question.task)
            id_ = rng.randbytes(REQUEST_ID_BYTES)
            message = seal_request(request, key, request_id=id_, at_ms=_now_ms(), model=trial.tensor().question.model)
            return (await frail.post(message)).status

    statuses = await asyncio.gather(*(fill() for _ in range(_FLOOD)))
    if await _answers_again(frail, served, Problem.REPLAYED):
        return True
    if statuses.count(200) >= FLOODED_ENTRIES or statuses.count(503) == 0:
        raise Inconclusive("expected a full cache, got more answers than it has room for")
    return False


async def kill(trial: Trial) -> bool:
    """Kill -9, boot again, then deliver what the former boot had answered."""
    frail = trial.enclaves.frail
    served = await _served(trial)
    await frail.reboot()
    trial.world.answered.clear()
    return await _answers_again(frail, served, Problem.STALE_KEY)


async def _served(trial: Trial) -> list[bytes]:
    """Requests that this boot of the frail enclave has answered, the client's own."""
    frail, kept = trial.enclaves.frail, trial.world.answered
    if not kept:
        script = Script(frail)
        lane = trial.world.gateway.lane(script)
        async with trial.world.client(lane.url, enclave=frail) as client:
            for _ in range(_REPLAYED):
                await trial.honest(script, trial.tensor(), seat=Seat(lane, client))
        kept += script.messages
    return list(kept)


async def _answers_again(frail: EnclaveHost, messages: list[bytes], refusal: Problem) -> bool:
    return any([answered(await frail.post(message), refusal) for message in messages])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


ATTACKS = (
    ANOTHER_DEPLOYMENT,
    FORGE_REPLY,
    Attack("flood-then-replay", "replay a request", flood),
    Attack("kill-then-replay", "replay a request", kill),
    FORGE_AT_BOOT,
)
"""In this order in each round: a flooded enclave is booted again before it must answer."""
