"""Attacks on evidence: what a client gets at first contact, and by the digest that an answer names."""

from strongroom.protocol.problems import Problem
from strongroom.selftest.attacks import lies
from strongroom.selftest.attacks.impostors import other_image, other_terms
from strongroom.selftest.attacks.lies import Lie
from strongroom.selftest.gateway import Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import REFUSED_EVIDENCE, Attack, Trial

_OLD = "an old document"
_KEYS = "give the client keys of its own"
_ACCOUNT = "an enclave of another account, image, configuration or catalogue"
_PLAIN = "answer in plaintext, forge errors"
_WITNESS = "an answer without its receipt, or with another's"
_LIES = (lies.old_nonce, lies.cached, lies.other_nonce, lies.stranger, lies.siblings_keys, lies.own_keys, other_image)


class _Lying(Script):
    """Tells `lie` at first contact, or by digest."""

    def __init__(self, trial: Trial, enclave: EnclaveHost, lie: Lie, *, is_live: bool) -> None:
        super().__init__(enclave)
        self._trial, self._lie, self._is_live = trial, lie, is_live

    async def live(self, query: str) -> Reply:
        return await self._lie(self._trial, query) if self._is_live else await super().live(query)

    async def by_digest(self, digest: str) -> Reply:
        return await super().by_digest(digest) if self._is_live else await self._lie(self._trial, digest)


class _SayingStale(_Lying):
    """Sends the client back to attest anew, and lies then."""

    async def sealed(self, message: bytes) -> Reply:
        return Reply.problem(Problem.STALE_KEY)


async def lie_after_stale_key(trial: Trial) -> bool:
    """A forged 422, then one of the lies: the client must verify again, and send nothing to the old key either."""
    known = trial.either()
    await trial.honest(Script(trial.enclaves.home), known)
    script = _SayingStale(trial, trial.enclaves.home, trial.rng.choice(_LIES), is_live=True)
    return await trial.fooled(script, known, REFUSED_EVIDENCE | {Problem.STALE_KEY.code}) or len(script.messages) != 1


def _attack(name: str, lie: Lie, threat: str, *, is_live: bool = True, enclave: str = "home") -> Attack:
    codes = REFUSED_EVIDENCE if is_live else REFUSED_EVIDENCE | {"receipt-refused"}

    async def run(trial: Trial) -> bool:
        script = _Lying(trial, getattr(trial.enclaves, enclave), lie, is_live=is_live)
        if is_live:
            return await trial.fooled_at_first_contact(script, trial.either(), codes)
        seat = trial.desk.fresh()
        async with seat.client:
            return await trial.fooled(script, trial.either(), codes, seat=seat)

    return Attack(name, threat, run, fools_control=is_live)


ATTACKS = (
    _attack("stale-document", lies.old_nonce, _OLD),
    _attack("cached-document-for-live", lies.cached, _OLD),
    _attack("drop-nonce", lies.other_nonce, _OLD),
    Attack("forge-422-then-lie", _PLAIN, lie_after_stale_key),
    _attack("another-image", other_image, _ACCOUNT),
    _attack("another-role-catalogue-or-configuration", other_terms, _ACCOUNT),
    _attack("another-account", lies.stranger, _ACCOUNT, enclave="stranger"),
    _attack("keys-of-another-enclave", lies.siblings_keys, _KEYS, enclave="sibling"),
    _attack("keys-of-the-parent", lies.own_keys, _KEYS),
    _attack("drop-suite", lies.fewer_suites, "weaken the suite, or the way in"),
    _attack("evidence-of-another-enclave", lies.by_digest, _WITNESS, is_live=False),
)
ANOTHER_DEPLOYMENT = _attack("another-deployment", lies.other_deployment, _ACCOUNT, enclave="frail")
"""Apart: the enclave that it needs is killed now and then."""
