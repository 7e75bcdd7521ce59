"""What the engine asks of whatever runs a model: alone, in batches, or in slots."""

from collections.abc import AsyncGenerator
from typing import Protocol

from strongroom.protocol.payloads import Event, Task


class Runner(Protocol):
    """One loaded model and its threads."""

    @property
    def room(self) -> int:
        """How many more tasks may run or wait, whatever they ask for; 0 once it is closed."""

    def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """The events of the task; closing this generator cancels it. Raises EngineBusy and the model's EngineErrors."""

    def close(self) -> None:
        """Cancel all tasks and end the threads: at most one step of the model."""
