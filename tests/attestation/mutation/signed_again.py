"""Documents changed before they are signed, by the issuers and by the leaf: only the inner rules can refuse."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from attestation.anchors import SimulatedTrustAnchor
from tests.attestation import forge
from tests.attestation.mutation import (
    bases,
    cbor_mutations,
    cbor_tree,
    certificate_mutations,
    chains,
    der_mutations,
    field_mutations,
    questions,
)
from tests.attestation.mutation.chains import Chain
from tests.attestation.mutation.questions import Case


def make(rng: Random) -> Case:
    """A case of which everything is signed as its issuer would, after the change."""
    return rng.choice(_LEVELS)(rng)


def _fields(rng: Random) -> Case:
    """One or two fields say something else, in sound CBOR."""
    kind = _kind(rng)
    values = bases.fields(kind, bases.certificates(kind))
    story = [field_mutations.mutate(rng, values)]
    if rng.random() < 0.1 and len(values) > 1:
        story.append(field_mutations.mutate(rng, values))
    return _signed(rng, bases.encode(values, indefinite=rng.random() < 0.5), kind, story)


def _structure(rng: Random) -> Case:
    """The payload's CBOR has another structure."""
    kind = _kind(rng)
    payload = bases.encode(bases.fields(kind, bases.certificates(kind)), indefinite=rng.random() < 0.5)
    tree = cbor_tree.parse(payload)
    story = [cbor_mutations.mutate(rng, tree)]
    return _signed(rng, tree.to_bytes(), kind, story)


def _certificate(rng: Random) -> Case:
    """One certificate says something else and is signed again by its issuer."""
    kind = _kind(rng)
    chain = chains.sound(bases.MODULE_IDS[kind])
    position = rng.choice((chains.ROOT, *(chains.REGIONAL, chains.ZONAL, chains.INSTANCE, chains.LEAF) * 2))
    story = [certificate_mutations.mutate(rng, chain, position)]
    if story != ["signature"] and rng.random() < 0.95:
        chain.issue(position)
    return _signed_under(rng, chain, kind, story)


def _certificate_structure(rng: Random) -> Case:
    """One certificate's DER has another structure, inside what its issuer signs or around it."""
    kind = _kind(rng)
    chain = chains.sound(bases.MODULE_IDS[kind])
    position = rng.randrange(chains.ROOT, chains.LEAF + 1)
    if rng.random() < 0.8:
        story = [der_mutations.mutate(rng, chain.tbs(position))]
        chain.issue(position)
    else:
        story = [der_mutations.mutate(rng, chain.certificates[position])]
    return _signed_under(rng, chain, kind, story)


def _signed_under(rng: Random, chain: Chain, kind: str, story: list[str]) -> Case:
    """A sound payload over ``chain``, whose root is the anchor, changed or not."""
    ders = chain.ders()
    payload = bases.encode(bases.fields(kind, ders), indefinite=rng.random() < 0.5)
    data = forge.envelope(payload, chains.sign(payload, chain.keys[chains.LEAF]))
    question = questions.about_forged(rng, SimulatedTrustAnchor(ders[chains.ROOT]), kind)
    return Case(data, payload, question, tuple(story))


def _signed(rng: Random, payload: bytes, kind: str, story: list[str]) -> Case:
    """Any payload at all, signed by the sound leaf."""
    data = forge.envelope(payload, chains.sign(payload, chains.sound_keys()[chains.LEAF]))
    return Case(data, payload, questions.about_forged(rng, bases.anchor(kind), kind), tuple(story))


def _kind(rng: Random) -> str:
    return rng.choice((*(bases.ENCLAVE,) * 6, bases.NITROTPM))


_LEVELS: tuple[Callable[[Random], Case], ...] = (
    *(_fields, _fields, _structure, _certificate, _certificate, _certificate_structure),
)
