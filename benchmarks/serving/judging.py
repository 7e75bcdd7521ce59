"""Is an answer the one to its question? Every one that comes is judged, by what is known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOLERANCE = 1e-3
"""Two vectors are one answer up to this difference in any place: far above what a batch changes in float32, far below
what parts the vectors of two texts."""

Answer = TypeVar("Answer", contravariant=True)


@dataclass
class Tally:
    """How many answers came, did not come, were nobody's, or were another question's."""

    answers: int = 0
    lost: int = 0
    wrong: int = 0
    mixed: int = 0

    def add(self, other: Tally) -> None:
        """Count what another has counted."""
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)


class Judge(Protocol[Answer]):
    """Knows every question's answer."""

    def owners(self, answer: Answer) -> Sequence[int]:
        """The questions that this is the answer to, by number."""


class VectorJudge:
    """Knows the vectors float32 [questions, dimensions]."""

    def __init__(self, expected: NDArray[np.float32]) -> None:
        self._expected = expected

    def owners(self, answer: ArrayLike) -> list[int]:
        """Those whose vector differs by no more than TOLERANCE; none for another width or a NaN."""
        vector = np.asarray(answer, dtype=np.float32)
        if vector.shape != self._expected.shape[1:]:
            return []
        near = np.abs(self._expected - vector).max(axis=1) <= TOLERANCE
        return [int(number) for number in np.flatnonzero(near)]


class ExactJudge(Generic[Answer]):
    """Knows answers that leave no room: texts, tokens."""

    def __init__(self, expected: Sequence[Answer]) -> None:
        self._expected = expected

    def owners(self, answer: Answer) -> list[int]:
        """Those that have this very answer."""
        return [number for number, known in enumerate(self._expected) if known == answer]


class Court(Generic[Answer]):
    """Judges what a crowd collected: pairs of a question's number and its answer, or None for one that is lost."""

    def __init__(self, judge: Judge[Answer]) -> None:
        self._judge = judge

    def tally(self, answers: Sequence[tuple[int, Answer | None]]) -> Tally:
        """Each answer is right, mixed (it belongs to another question), wrong (to none) or lost."""
        tally = Tally()
        for question, answer in answers:
            if answer is None:
                tally.lost += 1
                continue
            tally.answers += 1
            owners = self._judge.owners(answer)
            if question not in owners:
                tally.mixed += bool(owners)
                tally.wrong += not owners
        return tally
