"""How long the provisioner waits: between looks at an enclave, and after what failed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds. A failure is followed by a pause of `retry_s`, the next in a row by twice as many.

    They grow to `max_retry_s` while the enclave answers, and to `max_unreached_s` while it does not.
    """

    watch_s: float = 1.0
    """Between looks at an enclave that is ready."""
    retry_s: float = 1.0
    max_retry_s: float = 30.0
    max_unreached_s: float = 2.0
    refresh_s: float = 300.0
    """Between refreshes of credentials."""


class Pauses:
    """After failures in a row."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._next_s = pace.retry_s

    def after_failure(self, *, reached: bool) -> float:
        """Seconds to wait; `reached` says whether the enclave told where it stands.

        One that boots must not wait for its models, and to be asked costs one that is gone nothing. One that answers
        and cannot go on has its reason in KMS, in files, or in what it refuses: that takes longer to mend, and each
        try sends credentials or weights.
        """
        longest_s = self._pace.max_retry_s if reached else self._pace.max_unreached_s
        pause_s = min(self._next_s, longest_s)
        self._next_s = min(2 * pause_s, longest_s)
        return pause_s

    def succeeded(self) -> None:
        """The next failure is the first in its row."""
        self._next_s = self._pace.retry_s
