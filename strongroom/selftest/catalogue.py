"""Every attack, and which of them are tried in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from strongroom.selftest.attacks import (
    answers,
    envelopes,
    evidence,
    forgeries,
    kept,
    key_holders,
    lengths,
    mixtures,
    replays,
    requests,
    siege,
)
from strongroom.selftest.trial import Attack

ON_THE_WAY: tuple[Attack, ...] = (
    *requests.ATTACKS,
    *answers.ATTACKS,
    *mixtures.ATTACKS,
    *forgeries.ATTACKS,
    *evidence.ATTACKS,
    *replays.ATTACKS,
    *envelopes.ATTACKS,
    *kept.ATTACKS,
    *key_holders.ATTACKS,
    *lengths.ATTACKS,
)
"""Drawn at random; they cost an exchange or two."""
SIEGE: tuple[Attack, ...] = siege.ATTACKS
"""Tried in rounds, one after the other; they cost seconds."""
ATTACKS: tuple[Attack, ...] = ON_THE_WAY + SIEGE

_TRIALS_A_ROUND = 5_000
_MAX_ROUNDS = 40


@dataclass(frozen=True)
class Planned:
    """A trial to come; `seed` gives its random values."""

    attack: Attack
    seed: str


@dataclass(frozen=True)
class Plan:
    """Two queues that are worked off side by side."""

    on_the_way: Sequence[Planned]
    siege: Sequence[Planned]

    @classmethod
    def draw(cls, trials: int, seed: int) -> "Plan":
        """`trials` trials, every attack at least once. Raises ValueError for fewer trials than that takes."""
        round_ = [attack for attack in SIEGE for _ in range(attack.weight)]
        siege_ = round_ * min(_MAX_ROUNDS, max(1, trials // _TRIALS_A_ROUND))
        left = trials - len(siege_) - len(ON_THE_WAY)
        if left < 0:
            raise ValueError(f"expected at least {least_trials()} trials, got {trials}")
        rng = Random(seed)  # noqa: S311 - a repeatable choice, not a secret
        drawn = [*ON_THE_WAY, *rng.choices(ON_THE_WAY, [attack.weight for attack in ON_THE_WAY], k=left)]
        rng.shuffle(drawn)
        numbered = [Planned(attack, f"{seed}/{number}") for number, attack in enumerate([*siege_, *drawn])]
        return cls(numbered[len(siege_) :], numbered[: len(siege_)])


def least_trials() -> int:
    """As many as try every attack once, and a round of the siege."""
    return len(ON_THE_WAY) + sum(attack.weight for attack in SIEGE)
