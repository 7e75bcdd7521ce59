"""How long to wait before an enclave that ended is started again, and when to stop trying."""

import secrets
from collections.abc import Callable

_FIRST_S, _LONGEST_S = 1.0, 60.0
_STABLE_S = 300.0
_ATTEMPTS = 8


def _random() -> float:
    return secrets.randbelow(1 << 20) / (1 << 20)


class Backoff:
    """1, 2, 4 … 60 s, each less up to half of it by chance: enclaves that ended together do not start together.

    One that was ready for five minutes before it ended begins anew; the ninth end in a row is the last.
    """

    def __init__(self, random: Callable[[], float] = _random) -> None:
        self._random = random
        self._failures = 0

    def after(self, ready_s: float) -> float | None:
        """Seconds to wait after an end, `ready_s` being how long it had been ready; None: give up."""
        self._failures = 1 if ready_s >= _STABLE_S else self._failures + 1
        if self._failures > _ATTEMPTS:
            return None
        longest_s = min(_FIRST_S * (1 << self._failures - 1), _LONGEST_S)
        return longest_s * (1 - self._random() / 2)
