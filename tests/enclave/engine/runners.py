"""A runner without a model, for tests of what is around it."""

import asyncio
from collections.abc import AsyncGenerator

from enclave.engine.runner import NO_PORTS
from strongroom.protocol.payloads import Event, Task, TextDelta


class Idle:
    """Always has room; a task gives one event, and another when its gate is opened."""

    ports = NO_PORTS

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.closed = False

    @property
    def room(self) -> int:
        return 1

    async def run(self, task: Task) -> AsyncGenerator[Event, None]:
        yield TextDelta("first")
        await self.gate.wait()
        yield TextDelta("second")

    def close(self) -> None:
        self.closed = True
