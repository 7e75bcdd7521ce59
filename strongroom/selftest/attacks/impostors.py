"""Impostors: an image of the parent's own gets genuine documents too, and extends PCR16 and 17 by what it likes."""

import secrets
import time
from collections.abc import Mapping, Sequence
from hashlib import sha384
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec

from attestation.bindings import statement_user_data
from attestation.evidence import Evidence
from attestation.signing import receipt_key_bytes
from strongroom.selftest.attacks.lies import nonce_of, told, with_keys_of_ours
from strongroom.selftest.attacks.tampering import flipped
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import Trial
from strongroom.simulator.document import attestation_document
from strongroom.simulator.pki import SimulatedPKI

_PCR_BYTES = 48
_IMAGE, _OTHERS = (0, 1, 2), (3, 16, 17)
"""What runs; who runs it, with which models and configuration: registers that a document may lack."""


async def other_image(trial: Trial, query: str) -> Reply:
    """An image of the parent's own, for the rest what the client expects."""
    return _speaking(trial, query, _altered(trial.rng, trial.enclaves.home.measurements.pcrs, _IMAGE))


async def other_terms(trial: Trial, query: str) -> Reply:
    """The right image, under another role, with other models or another configuration, or without saying which."""
    pcrs = _altered(trial.rng, trial.enclaves.home.measurements.pcrs, _OTHERS)
    if trial.rng.random() < 0.2:
        del pcrs[trial.rng.choice(_OTHERS)]
    return _speaking(trial, query, pcrs)


def _speaking(trial: Trial, query: str, pcrs: Mapping[int, bytes]) -> Reply:
    """Evidence that is genuine and live, of these registers; it binds the parent's own keys."""
    key_list = with_keys_of_ours(trial.world.evidence["home"].key_list)
    receipt_key = receipt_key_bytes(ec.generate_private_key(ec.SECP256R1()))
    at_ms, module = time.time_ns() // 1_000_000, f"i-0123456789abcdef0-enc{secrets.token_hex(8)}"
    document = attestation_document(
        SimulatedPKI.open(trial.world.folder).signer(module, at_ms=at_ms),
        module,
        at_ms,
        pcrs,
        public_key=None,
        user_data=statement_user_data(sha384(key_list).digest(), receipt_key),
        nonce=nonce_of(query),
    )
    return told(Evidence(document, key_list, receipt_key))


def _altered(rng: Random, right: Mapping[int, bytes], indices: Sequence[int]) -> dict[int, bytes]:
    """One of these registers, or all, wrong by a bit, wholly, or zero."""
    wrong = rng.choice(([rng.choice(indices)], indices))
    return {index: _wrong(rng, value) if index in wrong else value for index, value in right.items()}


def _wrong(rng: Random, value: bytes) -> bytes:
    return rng.choice((flipped(rng, value), rng.randbytes(_PCR_BYTES), bytes(_PCR_BYTES)))
