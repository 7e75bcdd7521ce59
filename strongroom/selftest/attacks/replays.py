"""Replays of a request: to the same enclave, in every order, and to a second one."""

import asyncio
import secrets
import time

from strongroom.protocol.configuration import Windows
from strongroom.protocol.constants import REQUEST_ID_BYTES, SECRET_BYTES
from strongroom.protocol.keys import KeyList
from strongroom.protocol.payloads import Request
from strongroom.protocol.problems import Problem
from strongroom.protocol.requests import seal_request
from strongroom.selftest.gateway import Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import Attack, Inconclusive, Trial, answered

_REPLAY = "replay a request"
_TWO = "the same request to two enclaves, to learn from equal keys"
_WINDOW_MS = 1000 * Windows().request_s
_HELD_BACK_MS = 86_400_000


class Repeating(Script):
    """Delivers each request several times at once; the client is told the first success."""

    def __init__(self, enclave: EnclaveHost, times: int) -> None:
        super().__init__(enclave)
        self._times = times
        self.statuses: list[int] = []

    async def sealed(self, message: bytes) -> Reply:
        """The one success among them, or a refusal."""
        replies = await asyncio.gather(*(self.enclave.post(message) for _ in range(self._times)))
        self.statuses += [reply.status for reply in replies]
        return min(replies, key=lambda reply: reply.status)


async def same_enclave(trial: Trial) -> bool:
    """Deliver it several times at once, and again when the answer is there."""
    script = Repeating(trial.enclaves.home, trial.rng.randint(1, 3))
    await trial.honest(script, trial.either())
    late = [await trial.enclaves.home.post(script.messages[0]) for _ in range(trial.rng.randint(1, 2))]
    statuses = script.statuses + [reply.status for reply in late]
    if not set(statuses) <= {200, 409}:
        raise Inconclusive(f"expected 409 for a replay, got {sorted(statuses)}")
    return statuses.count(200) != 1


async def second_enclave(trial: Trial) -> bool:
    """Deliver it to a second enclave of the same deployment, or of the other account, before or after."""
    script = Script(trial.enclaves.home)
    await trial.honest(script, trial.either())
    other = trial.rng.choice((trial.enclaves.sibling, trial.enclaves.stranger))
    return answered(await other.post(script.messages[0]), Problem.STALE_KEY)


async def answer_of_a_replay(trial: Trial) -> bool:
    """Keep a request back, deliver it later, and tell its answer to whoever asks then."""
    earlier = Script(trial.enclaves.home)
    one, two = trial.rng.sample(trial.desk.questions.chats, 2)
    await trial.honest(earlier, one)
    return await trial.fooled(_Substituting(trial.enclaves.home, earlier.messages[0]), two, {Problem.REPLAYED.code})


async def held_back(trial: Trial) -> bool:
    """Deliver a request minutes after its client gave up on it, or one from the future: its id may be forgotten."""
    late_ms = trial.rng.choice((-1, 1)) * trial.rng.randint(_WINDOW_MS + 30_000, _HELD_BACK_MS)
    if not answered(await trial.enclaves.home.post(_sealed(trial, 0)), Problem.REJECTED):
        raise Inconclusive("expected an answer to a request in time, got none")
    return answered(await trial.enclaves.home.post(_sealed(trial, late_ms)), Problem.REJECTED)


def _sealed(trial: Trial, late_ms: int) -> bytes:
    """A client's request for the enclave under attack, sealed so long ago."""
    known, id_ = trial.tensor(), secrets.token_bytes(REQUEST_ID_BYTES)
    [key, *_] = KeyList.from_bytes(trial.world.evidence["home"].key_list).configurations
    request = Request(secrets.token_bytes(SECRET_BYTES), False, known.question.task)
    at_ms = time.time_ns() // 1_000_000 - late_ms
    return seal_request(request, key, request_id=id_, at_ms=at_ms, model=known.question.model)


class _Substituting(Script):
    """Delivers an old request in place of the client's."""

    def __init__(self, enclave: EnclaveHost, old: bytes) -> None:
        super().__init__(enclave)
        self._old = old

    async def sealed(self, message: bytes) -> Reply:
        return await self.enclave.post(self._old)


ATTACKS = (
    Attack("replay-to-the-same-enclave", _REPLAY, same_enclave, weight=2),
    Attack("replay-to-a-second-enclave", _TWO, second_enclave, weight=2),
    Attack("replay-in-place-of-another", _REPLAY, answer_of_a_replay),
    Attack("deliver-too-late", _REPLAY, held_back),
)
