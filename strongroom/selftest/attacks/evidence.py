"""Attacks on evidence: what a client gets at first contact, and by the digest that an answer names."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import parse_qs

from attestation.evidence import Evidence
from strongroom.protocol.constants import MEDIA_EVIDENCE, PATH_EVIDENCE
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.selftest.gateway import Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import REFUSED_EVIDENCE, Attack, Trial

Tell = Callable[[Trial, str], Awaitable[Reply]]
"""(trial, query with the client's nonce or digest asked for) → what is told."""
_OLD = "an old document"
_KEYS = "give the client keys of its own"
_ACCOUNT = "an enclave of another account, image, configuration or catalogue"
_WITNESS = "an answer without its receipt, or with another's"


async def old_nonce(trial: Trial, _query: str) -> Reply:
    """A live document, for the nonce of an earlier contact."""
    return await trial.enclaves.home.get(f"{PATH_EVIDENCE}?nonce={trial.rng.randbytes(32).hex()}")


async def cached(trial: Trial, _query: str) -> Reply:
    """The cached document in place of a live one."""
    return await trial.enclaves.home.get(PATH_EVIDENCE)


async def other_nonce(trial: Trial, query: str) -> Reply:
    """A document for a part of the client's nonce, for more than it, for none, or for it the other way round."""
    nonce = bytes.fromhex(parse_qs(query)["nonce"][0])
    forms = (nonce[: trial.rng.randint(16, 31)], nonce + bytes(trial.rng.randint(1, 32)), nonce[::-1], b"")
    asked = trial.rng.choice(forms)
    return await trial.enclaves.home.get(f"{PATH_EVIDENCE}?nonce={asked.hex()}" if asked else PATH_EVIDENCE)


async def stranger(trial: Trial, query: str) -> Reply:
    """Genuine and live, of the same image and configuration bytes in another account."""
    return await trial.enclaves.stranger.get(f"{PATH_EVIDENCE}?{query}")


async def other_deployment(trial: Trial, query: str) -> Reply:
    """Genuine and live, of another deployment in the same account."""
    return await trial.enclaves.frail.get(f"{PATH_EVIDENCE}?{query}")


async def siblings_keys(trial: Trial, query: str) -> Reply:
    """A live document with key list, receipt key or both of a second enclave."""
    live, other = _read(await trial.enclaves.home.get(f"{PATH_EVIDENCE}?{query}")), trial.world.evidence["sibling"]
    keys = replace(live, key_list=other.key_list)
    receipt_key = replace(live, receipt_key=other.receipt_key)
    return _told(trial.rng.choice((keys, receipt_key, replace(keys, receipt_key=other.receipt_key))))


async def own_keys(trial: Trial, query: str) -> Reply:
    """A live document with a key list that has the parent's own keys."""
    live = _read(await trial.enclaves.home.get(f"{PATH_EVIDENCE}?{query}"))
    return _told(replace(live, key_list=with_keys_of_ours(live.key_list)[0]))


async def fewer_suites(trial: Trial, query: str) -> Reply:
    """The key list without its strongest suite."""
    live = _read(await trial.enclaves.home.get(f"{PATH_EVIDENCE}?{query}"))
    keys = KeyList.from_bytes(live.key_list)
    kept = tuple(each for each in keys.configurations if each.suite is not Suite.XWING)
    return _told(replace(live, key_list=replace(keys, configurations=kept).to_bytes()))


def with_keys_of_ours(key_list: bytes) -> tuple[bytes, KEMKeyPair]:
    """A key list in which the X-Wing key is the parent's, and that key."""
    keys, pair = KeyList.from_bytes(key_list), KEMKeyPair.from_seed(Suite.XWING, secrets.token_bytes(32))
    others = [each for each in keys.configurations if each.suite is not Suite.XWING]
    ours = (KeyConfiguration(Suite.XWING, pair.public), *others)
    return replace(keys, configurations=ours).to_bytes(), pair


async def by_digest(trial: Trial, digest: str) -> Reply:
    """Evidence of a second enclave, of another account, of another moment, or the right one with other keys."""
    home, sibling, stranger_ = (trial.world.evidence[name] for name in ("home", "sibling", "stranger"))
    right = _read(await trial.enclaves.home.get(f"{PATH_EVIDENCE}/{digest}"))
    moment = _read(await old_nonce(trial, ""))
    swapped = replace(right, key_list=sibling.key_list, receipt_key=sibling.receipt_key)
    return _told(trial.rng.choice((sibling, stranger_, moment, swapped, replace(home, document=sibling.document))))


def _read(reply: Reply) -> Evidence:
    return Evidence.from_bytes(reply.body)


def _told(evidence: Evidence) -> Reply:
    return Reply(200, MEDIA_EVIDENCE, evidence.to_bytes())


class _Lying(Script):
    """Tells `tell` at first contact, or by digest."""

    def __init__(self, trial: Trial, enclave: EnclaveHost, tell: Tell, *, is_live: bool) -> None:
        super().__init__(enclave)
        self._trial, self._tell, self._is_live = trial, tell, is_live
        self.told = 0

    async def live(self, query: str) -> Reply:
        return await self._lie(query) if self._is_live else await super().live(query)

    async def by_digest(self, digest: str) -> Reply:
        return await super().by_digest(digest) if self._is_live else await self._lie(digest)

    async def _lie(self, asked: str) -> Reply:
        self.told += 1
        return await self._tell(self._trial, asked)


def _attack(name: str, tell: Tell, threat: str, *, is_live: bool = True, enclave: str = "home") -> Attack:
    codes = REFUSED_EVIDENCE if is_live else REFUSED_EVIDENCE | {"receipt-refused"}

    async def run(trial: Trial) -> bool:
        script = _Lying(trial, getattr(trial.enclaves, enclave), tell, is_live=is_live)
        return await trial.fooled_at_first_contact(script, trial.either(), codes)

    return Attack(name, threat, run)


ATTACKS = (
    _attack("stale-document", old_nonce, _OLD),
    _attack("cached-document-for-live", cached, _OLD),
    _attack("drop-nonce", other_nonce, _OLD),
    _attack("another-account", stranger, _ACCOUNT, enclave="stranger"),
    _attack("keys-of-another-enclave", siblings_keys, _KEYS, enclave="sibling"),
    _attack("keys-of-the-parent", own_keys, _KEYS),
    _attack("drop-suite", fewer_suites, "weaken the suite, or the way in"),
    _attack("evidence-of-another-enclave", by_digest, _WITNESS, is_live=False),
)
ANOTHER_DEPLOYMENT = _attack("another-deployment", other_deployment, _ACCOUNT, enclave="frail")
"""Apart: the enclave that it needs is killed now and then."""
