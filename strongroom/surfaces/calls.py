"""A request of some surface, translated: what to ask the enclave, and how to write its answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from strongroom.protocol.payloads import Event, Task
from strongroom.surfaces.http import Reply


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an answer says of itself and no task has: a fresh id, and its time in seconds since the epoch."""

    id: str
    created_s: int


class StreamWriter(Protocol):
    """Writes an answer as it comes, as server-sent events."""

    def piece(self, event: Event) -> bytes:
        """What to send for this event, perhaps nothing yet. Raises Refused for an event out of place."""

    def end(self) -> bytes:
        """What completes the answer, to be sent once it is proved. Raises Refused if its end is missing."""


@dataclass(frozen=True, slots=True)
class WholeCall:
    """`write` takes the events of the whole answer; it raises Refused where they are none."""

    id: str
    model: str
    task: Task = field(repr=False)
    write: Callable[[Sequence[Event]], Reply] = field(repr=False)


@dataclass(frozen=True, slots=True)
class StreamedCall:
    """The answer is written piece by piece."""

    id: str
    model: str
    task: Task = field(repr=False)
    writer: StreamWriter = field(repr=False)


Call = WholeCall | StreamedCall
