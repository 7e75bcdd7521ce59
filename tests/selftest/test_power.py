"""The harness can tell: a real client, or an enclave, that lacks one check loses to the attack on that check."""

from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from random import Random

import pytest

from attestation.documents import AttestationDocument
from attestation.evidence import Evidence
from attestation.modes import Live
from attestation.policy import Measurements
from strongroom.selftest.catalogue import ATTACKS
from strongroom.selftest.control import is_fooled
from strongroom.selftest.gateway import Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.questions import Questions
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import Desk, Inconclusive, Trial
from strongroom.selftest.world import World

Weaken = Callable[[pytest.MonkeyPatch], None]
_TRIES = 12


def any_nonce(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Live, "check", lambda self, document: None)


def any_account(patch: pytest.MonkeyPatch) -> None:
    def check(self: Measurements, document: AttestationDocument, at_ms: int) -> None:
        assert all(document.pcrs[index] == value for index, value in self.pcrs.items() if index != 3)

    patch.setattr(Measurements, "check", check)


def any_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Evidence, "check_binding", lambda self, document: None)


def answer_again(patch: pytest.MonkeyPatch) -> None:
    """An enclave that has forgotten every request id."""
    post = EnclaveHost.post
    said: dict[bytes, Reply] = {}

    async def forgetful(self: EnclaveHost, message: bytes) -> Reply:
        reply = await post(self, message)
        if reply.status == 200:
            said[message] = reply
        return said.get(message, reply)

    patch.setattr(EnclaveHost, "post", forgetful)


WEAKENED: dict[str, Weaken] = {
    "stale-document": any_nonce,
    "cached-document-for-live": any_nonce,
    "drop-nonce": any_nonce,
    "another-account": any_account,
    "keys-of-another-enclave": any_keys,
    "replay-to-the-same-enclave": answer_again,
}


async def fooled(desk: Desk, name: str) -> list[bool | None]:
    """One verdict for each trial; None where another defence than the one under attack held."""
    [attack] = [each for each in ATTACKS if each.name == name]
    verdicts: list[bool | None] = []
    for number in range(_TRIES):
        try:
            verdicts.append(await attack.run(Trial(desk, Random(f"{name}/{number}"))))
        except Inconclusive:
            verdicts.append(None)
    return verdicts


async def test_each_missing_check_is_found(tmp_path: Path) -> None:
    async with World(tmp_path, lambda line: None) as world:
        lane = world.gateway.lane(Script(world.enclaves.home))
        async with world.client(lane.url) as client:
            questions = await Questions.collect(client, Random(1))
        assert await is_fooled(world, questions.chats[0], Random(1))
        async with aclosing(Desk(world, questions)) as desk:
            for name, weaken in WEAKENED.items():
                assert await fooled(desk, name) == [False] * _TRIES, name
                with pytest.MonkeyPatch.context() as patch:
                    weaken(patch)
                    assert True in await fooled(desk, name), name
