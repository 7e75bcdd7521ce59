"""What the engine asks of whatever runs a model: alone, in batches, or in slots."""

from collections.abc import AsyncGenerator
from typing import NamedTuple, Protocol

from strongroom.protocol.payloads import Event, Task
from strongroom.protocol.tensors import Port


class Ports(NamedTuple):
    """The tensors that go into a model and come out of it, each in the order of its graph."""

    inputs: list[Port]
    outputs: list[Port]


NO_PORTS = Ports([], [])
"""Of a model whose tasks bring texts."""


class Runner(Protocol):
    """One loaded model and its threads."""

    @property
    def ports(self) -> Ports:
        """What an `infer` task brings and gets."""

    @property
    def room(self) -> int:
        """How many more tasks may run or wait, whatever they ask for; 0 once it is closed."""

    def run(self, task: Task) -> AsyncGenerator[Event, None]:
        """The events of the task; closing this generator cancels it. Raises EngineBusy and the model's EngineErrors."""

    def close(self) -> None:
        """Cancel all tasks and end the threads: at most one step of the model."""
