"""What the proxy counts, and its log: one JSON object per line, with nothing of what passes through."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from strongroom.process import emit


class Outcome(StrEnum):
    """What became of one connection."""

    COMPLETED = "completed"
    FULL = "full"  # as many connections as allowed were active
    MALFORMED = "malformed"  # no destination line in time, or a bad one
    FORBIDDEN = "forbidden"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"  # nothing moved, or the total deadline passed
    BROKEN = "broken"


@dataclass
class Counters:
    """Totals since the start; `active` is the number of connections now."""

    active: int = 0
    outbound_bytes: int = 0
    inbound_bytes: int = 0
    ended: Counter[Outcome] = field(default_factory=Counter)

    def report(self) -> None:
        """Log all totals as one `egress` event."""
        ended = {str(outcome): self.ended[outcome] for outcome in Outcome}
        emit(
            "egress", active=self.active, outbound_bytes=self.outbound_bytes, inbound_bytes=self.inbound_bytes, **ended
        )
