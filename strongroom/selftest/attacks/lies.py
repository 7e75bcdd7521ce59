"""Lies about evidence: what an evil parent can tell at first contact, and for the digest that an answer names."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import parse_qs

from attestation.evidence import Evidence
from strongroom.protocol.constants import MEDIA_EVIDENCE, PATH_EVIDENCE
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.suites import KEMKeyPair, Suite
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import Trial

Lie = Callable[[Trial, str], Awaitable[Reply]]
"""(trial, query with the client's nonce or digest asked for) → what is told."""


async def old_nonce(trial: Trial, _query: str) -> Reply:
    """A live document, for the nonce of an earlier contact."""
    return await trial.enclaves.home.get(f"{PATH_EVIDENCE}?nonce={trial.rng.randbytes(32).hex()}")


async def cached(trial: Trial, _query: str) -> Reply:
    """The cached document in place of a live one."""
    return await trial.enclaves.home.get(PATH_EVIDENCE)


async def other_nonce(trial: Trial, query: str) -> Reply:
    """A document for a part of the client's nonce, for more than it, for none, or for it the other way round."""
    nonce = nonce_of(query)
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
    live, other = read(await trial.enclaves.home.get(f"{PATH_EVIDENCE}?{query}")), trial.world.evidence["sibling"]
    keys = replace(live, key_list=other.key_list)
    receipt_key = replace(live, receipt_key=other.receipt_key)
    return told(trial.rng.choice((keys, receipt_key, replace(keys, receipt_key=other.receipt_key))))


async def own_keys(trial: Trial, query: str) -> Reply:
    """A live document with a key list that has the parent's own keys."""
    live = read(await trial.enclaves.home.get(f"{PATH_EVIDENCE}?{query}"))
    return told(replace(live, key_list=with_keys_of_ours(live.key_list)))


async def fewer_suites(trial: Trial, query: str) -> Reply:
    """The key list without its strongest suite."""
    live = read(await trial.enclaves.home.get(f"{PATH_EVIDENCE}?{query}"))
    keys = KeyList.from_bytes(live.key_list)
    kept = tuple(each for each in keys.configurations if each.suite is not Suite.XWING)
    return told(replace(live, key_list=replace(keys, configurations=kept).to_bytes()))


def with_keys_of_ours(key_list: bytes) -> bytes:
    """A key list in which the X-Wing key is the parent's."""
    keys, pair = KeyList.from_bytes(key_list), KEMKeyPair.from_seed(Suite.XWING, secrets.token_bytes(32))
    others = [each for each in keys.configurations if each.suite is not Suite.XWING]
    ours = (KeyConfiguration(Suite.XWING, pair.public), *others)
    return replace(keys, configurations=ours).to_bytes()


async def by_digest(trial: Trial, digest: str) -> Reply:
    """Evidence of another enclave, or account, or moment of this boot, or the right one with other keys."""
    home, sibling, stranger_ = (trial.world.evidence[name] for name in ("home", "sibling", "stranger"))
    right = read(await trial.enclaves.home.get(f"{PATH_EVIDENCE}/{digest}"))
    later = read(await old_nonce(trial, ""))
    swapped = replace(right, key_list=sibling.key_list, receipt_key=sibling.receipt_key)
    mixed = replace(home, document=sibling.document)
    return told(trial.rng.choice((sibling, stranger_, trial.world.earlier, later, swapped, mixed)))


def nonce_of(query: str) -> bytes:
    """The client's nonce."""
    return bytes.fromhex(parse_qs(query)["nonce"][0])


def read(reply: Reply) -> Evidence:
    """Evidence as an enclave gave it."""
    return Evidence.from_bytes(reply.body)


def told(evidence: Evidence) -> Reply:
    """Evidence as the client gets it."""
    return Reply(200, MEDIA_EVIDENCE, evidence.to_bytes())
