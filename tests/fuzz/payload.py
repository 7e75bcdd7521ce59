"""Invariant of ``verify`` where the leaf's key signs anything: Rejected, or it says what a plain decoder reads.

Every input is signed, so that it reaches the rules of the payload and of the chain.
"""

from __future__ import annotations

from attestation.chain import ChainCache
from tests.attestation import bombs, forge
from tests.attestation.mutation import bases, chains, oracle
from tests.attestation.mutation.questions import Case, Question

_CACHE = ChainCache()


def seeds() -> list[bytes]:
    return [*(base.payload for base in bases.forged()), *bombs.payloads().values()]


def one_input(data: bytes) -> None:
    key = chains.sound_keys()[chains.LEAF]
    document = forge.envelope(data, chains.sign(data, key))
    oracle.verdict(Case(document, data, Question(bases.anchor()), ("fuzzed",)), _CACHE)
