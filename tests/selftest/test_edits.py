"""What attacks do to answers: never nothing, and always what they say."""

from collections.abc import Callable
from random import Random

import pytest

from strongroom.protocol.messages import SealedResponseHead
from strongroom.selftest.attacks import answers, mixtures
from strongroom.selftest.attacks.answers import Edit
from strongroom.selftest.attacks.mixtures import Mix
from strongroom.selftest.attacks.tampering import Answer

EDITS = [
    answers.reorder, answers.cut_at_chunk, answers.cut_inside, answers.duplicate, answers.drop, answers.move_last_flag,
    answers.flip_bit, answers.append, answers.drop_receipt, answers.rewrite_suite, answers.rewrite_digest,
]  # fmt: skip
MIXES = [
    mixtures.whole, mixtures.chunks, mixtures.head, mixtures.salt, mixtures.one_chunk, mixtures.receipt,
]  # fmt: skip


def answer(rng: Random, chunks: int = 4) -> Answer:
    """Of the right form; what is inside is noise."""
    head = b"SRS\x01\x00\x01" + rng.randbytes(SealedResponseHead.SIZE_BYTES - 6)
    flags = [0] * (chunks - 1) + [1]
    return Answer(head, [bytes([flag]) + (40).to_bytes(4, "big") + rng.randbytes(40) for flag in flags])


def test_an_answer_is_cut_at_its_own_lengths() -> None:
    whole = answer(Random(1))
    assert Answer.of(whole.to_bytes()) == whole


def name(edit: Callable[..., object]) -> str:
    return edit.__name__


@pytest.mark.parametrize("edit", EDITS, ids=name)
def test_every_edit_changes_the_bytes(edit: Edit) -> None:
    rng, whole = Random(2), answer(Random(1))
    made = {edit(rng, whole) for _ in range(200)}
    assert whole.to_bytes() not in made
    assert len(made) > 1


@pytest.mark.parametrize("mix", MIXES, ids=name)
def test_every_mixture_has_something_of_the_other(mix: Mix) -> None:
    rng, mine, theirs = Random(2), answer(Random(1)), answer(Random(3))
    assert all(mix(rng, mine, theirs) != mine for _ in range(50))


def test_a_cut_is_at_a_chunk_or_inside_one() -> None:
    rng, whole = Random(2), answer(Random(1))
    edges = {len(Answer(whole.head, whole.chunks[:count]).to_bytes()) for count in range(4)} | {0}
    assert {len(answers.cut_at_chunk(rng, whole)) for _ in range(200)} == edges
    assert not {len(answers.cut_inside(rng, whole)) for _ in range(2000)} & edges
