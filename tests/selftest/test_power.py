"""The harness can tell: a real client, or an enclave, that lacks one check loses to the attack on that check."""

from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from random import Random

import pytest

from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode
from attestation.evidence import Evidence
from attestation.modes import Live
from attestation.policy import Measurements
from attestation.proofs.envelopes import SignedPayload
from attestation.proofs.openings import Opening
from strongroom.client.attested import AttestedKey
from strongroom.client.contact import Contact
from strongroom.selftest.catalogue import ATTACKS
from strongroom.selftest.control import Control
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


def any_image(patch: pytest.MonkeyPatch) -> None:
    def check(self: Measurements, document: AttestationDocument, at_ms: int) -> None:
        if any(document.pcrs.get(index) != value for index, value in self.pcrs.items() if index > 2):
            raise Rejected(RejectionCode.MEASUREMENT, "those of the policy", "others")

    patch.setattr(Measurements, "check", check)


def any_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Evidence, "check_binding", lambda self, document: None)


def any_content(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Opening, "check", lambda self, expected, code: None)


def any_signature(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SignedPayload, "verify", lambda self, point, code: None)


def old_key(patch: pytest.MonkeyPatch) -> None:
    """A client that sends again without attesting again."""

    async def instead_of(self: Contact, stale: AttestedKey) -> AttestedKey:
        return stale

    patch.setattr(Contact, "instead_of", instead_of)


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


WEAKENED: list[tuple[str, Weaken]] = [
    ("stale-document", any_nonce),
    ("cached-document-for-live", any_nonce),
    ("drop-nonce", any_nonce),
    ("another-account", any_account),
    ("another-image", any_image),
    ("keys-of-another-enclave", any_keys),
    ("keys-of-the-parent", any_keys),
    ("forge-422-then-lie", old_key),
    ("answer-of-a-key-holder", any_content),
    ("answer-of-a-key-holder", any_signature),
    ("replay-to-the-same-enclave", answer_again),
]


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
        control = await Control(world, questions).fooled(ATTACKS)
        assert control == dict.fromkeys((each.name for each in ATTACKS if each.fools_control), True)
        async with aclosing(Desk(world, questions)) as desk:
            for name, weaken in WEAKENED:
                assert await fooled(desk, name) == [False] * _TRIES, name
                with pytest.MonkeyPatch.context() as patch:
                    weaken(patch)
                    assert True in await fooled(desk, name), name
