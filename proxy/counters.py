"""What the proxy counts, and its log: one JSON object per line, with nothing of what passes through."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from proxy.accepting import Places
from strongroom.process import emit


class Outcome(StrEnum):
    """What became of one connection that had a place."""

    COMPLETED = "completed"
    MALFORMED = "malformed"  # no destination line in time, or a bad one
    FORBIDDEN = "forbidden"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"  # nothing moved, or the total deadline passed
    BROKEN = "broken"  # a side went away before all that was under way to it had arrived


@dataclass
class Counters:
    """Totals since the start, and the places taken now."""

    places: Places
    outbound_bytes: int = 0
    inbound_bytes: int = 0
    ended: Counter[Outcome] = field(default_factory=Counter)

    def report(self) -> None:
        """Log all totals as one `egress` event. Raises OSError when the log cannot be written."""
        ended = {str(outcome): self.ended[outcome] for outcome in Outcome}
        emit(
            "egress",
            active=self.places.taken,
            refused=self.places.refused,
            accept_errors=self.places.errors,
            outbound_bytes=self.outbound_bytes,
            inbound_bytes=self.inbound_bytes,
            **ended,
        )
