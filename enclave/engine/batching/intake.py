"""Whose texts are tokenised next.

A turn is a bounded piece of one request, and a request gets its next turn when its rows have run: 256 long texts take
no worker for longer than a batch would, and whoever comes after them waits for one turn.
"""

from collections.abc import Sequence
from typing import NamedTuple

from enclave.engine.batching.requests import Request

MAX_TURN_CHARACTERS = 16 << 10
"""Texts are tokenised together up to this many characters, or one longer text alone."""


class Turn(NamedTuple):
    """The next texts of a request; `first` is the index of the first of them."""

    request: Request
    first: int
    texts: Sequence[str]


class Intake:
    """Requests without rows and with texts left, in order."""

    def __init__(self) -> None:
        self._hungry: dict[Request, None] = {}

    def __len__(self) -> int:
        return len(self._hungry)

    def add(self, request: Request) -> None:
        """Put the request at the end of the queue, if any text of it is left."""
        if request.tokenised < len(request.texts):
            self._hungry[request] = None

    def take(self) -> Turn | None:
        """The next turn; its request leaves the queue until it is added again."""
        if (request := next(iter(self._hungry), None)) is None:
            return None
        del self._hungry[request]
        first = request.tokenised
        request.tokenised += _turn_length(request.texts, first)
        return Turn(request, first, request.texts[first : request.tokenised])

    def drop(self, request: Request) -> None:
        """Forget the request."""
        self._hungry.pop(request, None)


def _turn_length(texts: Sequence[str], first: int) -> int:
    characters = 0
    for count, index in enumerate(range(first, len(texts))):
        characters += len(texts[index])
        if count and characters > MAX_TURN_CHARACTERS:
            return count
    return len(texts) - first
