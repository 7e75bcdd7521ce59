"""Attacks on two answers in flight: each client gets parts of the other's."""

import asyncio
from collections.abc import Callable
from random import Random

from strongroom.selftest.attacks.tampering import Answer, Meeting
from strongroom.selftest.trial import BROKEN_ANSWER, Attack, Trial, is_answered

Mix = Callable[[Random, Answer, Answer], Answer]
"""(mine, theirs) → what I am told."""


def whole(_rng: Random, _mine: Answer, theirs: Answer) -> Answer:
    """The other's answer."""
    return theirs


def chunks(_rng: Random, mine: Answer, theirs: Answer) -> Answer:
    """My head, which names my request, before the other's chunks."""
    return Answer(mine.head, theirs.chunks)


def head(_rng: Random, mine: Answer, theirs: Answer) -> Answer:
    """The other's head before my chunks."""
    return Answer(theirs.head, mine.chunks)


def salt(_rng: Random, mine: Answer, theirs: Answer) -> Answer:
    """My head with the other's salt."""
    return Answer(mine.head[:22] + theirs.head[22:54] + mine.head[54:], mine.chunks)


def one_chunk(rng: Random, mine: Answer, theirs: Answer) -> Answer:
    """One chunk of the other's among mine, at its own place."""
    at = rng.randrange(min(len(mine.chunks), len(theirs.chunks)))
    return Answer(mine.head, [*mine.chunks[:at], theirs.chunks[at], *mine.chunks[at + 1 :]])


def receipt(_rng: Random, mine: Answer, theirs: Answer) -> Answer:
    """The chunk with the other's receipt at the end of mine."""
    return Answer(mine.head, [*mine.chunks[:-1], theirs.chunks[-1]])


def _attack(name: str, mix: Mix, threat: str, *, neighbour: bool = False) -> Attack:
    async def run(trial: Trial) -> bool:
        home, sibling = trial.enclaves.home, trial.enclaves.sibling
        desk, enclaves = trial.desk, (home, sibling if neighbour else home)
        scripts = Meeting.pair(enclaves, lambda mine, theirs: mix(trial.rng, mine, theirs))
        seats = (desk.first, desk.neighbour if neighbour else desk.second)
        questions = trial.rng.sample(desk.questions.chats, 2)
        asked = zip(seats, scripts, questions, strict=True)
        return any(await asyncio.gather(*(is_answered(*each, BROKEN_ANSWER) for each in asked)))

    return Attack(name, threat, run)


_SWAP = "cut, reorder, repeat, swap answers"
_RECEIPT = "an answer without its receipt, or with another's"
ATTACKS = (
    _attack("swap-answers", whole, _SWAP),
    _attack("swap-chunks", chunks, _SWAP),
    _attack("splice-head", head, _SWAP),
    _attack("splice-salt", salt, _SWAP),
    _attack("splice-chunk", one_chunk, _SWAP),
    _attack("swap-receipts", receipt, _RECEIPT),
    _attack("receipt-of-another-enclave", receipt, _RECEIPT, neighbour=True),
)
