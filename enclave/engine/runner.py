"""What the engine asks of whatever runs a model: alone, in batches, or in slots."""

from collections.abc import AsyncGenerator
from typing import Protocol

from strongroom.protocol.payloads import Event, Task


class Runner(Protocol):
    """One loaded model and its threads."""

    @property
    def has_room(self) -> bool:
        """Whether one more task may run or wait."""

    def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """The events of the task; closing this generator cancels it. Raises EngineBusy and the model's EngineErrors."""

    def close(self) -> None:
        """Cancel all tasks and end the threads: at most one step of the model."""
