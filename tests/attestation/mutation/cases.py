"""The cases, by number: a sound document after a mutation or two, and the question asked about it.

Everything follows from (seed, number). Cases of an even number are signed again after the mutation; those of an odd
number keep a signature that the mutation may have broken.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from attestation.anchors import AWS_NITRO_ROOT_G1
from tests.attestation.mutation import bases, broken, questions, signed_again
from tests.attestation.mutation.questions import Case, Question


def forged(seed: int, number: int) -> Case:
    """The case that begins with one of the forge's documents."""
    rng = Random(f"{seed}:{number}")
    if number % 2 == 0:
        return signed_again.make(rng)
    base = rng.choice(bases.forged())
    data, story = broken.mutate(rng, base, bases.forged())
    return Case(data, base.payload, questions.about_forged(rng, bases.anchor(base.kind), base.kind), story)


def genuine(seed: int, number: int, folder: Path) -> Case:
    """The case that begins with a document that AWS signed; nobody can sign it again."""
    rng = Random(f"{seed}:{number}")
    documents = bases.genuine(folder)
    base = rng.choice(documents)
    data, story = broken.mutate(rng, base, documents)
    return Case(data, base.payload, Question(AWS_NITRO_ROOT_G1, base.kind, allow_simulated=False), story)
