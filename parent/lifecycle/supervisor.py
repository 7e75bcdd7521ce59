"""Keeps the enclaves of one state folder running, each watched on its own, until it is told to stop."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from parent.lifecycle.errands import Errand, errands_taken
from parent.lifecycle.errors import GaveUp, StateUnusable
from parent.lifecycle.folder import StateFolder
from parent.lifecycle.launcher import Launcher, Order
from parent.lifecycle.record import Record, Standing, State
from parent.lifecycle.watch import Terms, Watch
from parent.trust import Trust

_BESIDE_S = 0.5


@dataclass(frozen=True)
class Orders:
    """What to run. `order_of` makes the order of each number anew, before each start."""

    numbers: Collection[int]
    order_of: Callable[[int], Order]
    launcher: Launcher
    trust: Trust
    patience_s: float = 300.0


@dataclass(frozen=True)
class Says:
    """Whom it tells: of each change of an enclave, and once that all of them are ready."""

    changed: Callable[[Record], None] = lambda record: None
    ready: Callable[[], None] = lambda: None
    beside: Callable[[], None] = lambda: None
    """Called all the while; what it raises ends everything."""
    unrecorded: Callable[[OSError], None] = lambda error: None
    """The state file could not be written: once, until it can be again."""


class Supervisor:
    """Run it once. The folder must be held."""

    def __init__(self, folder: StateFolder, orders: Orders, says: Says, pid: int) -> None:
        self._folder, self._says, self._pid = folder, says, pid
        self._launcher = orders.launcher
        terms = Terms(orders.launcher, orders.trust, self._changed, asyncio.Lock(), orders.patience_s)
        self._watches = {number: Watch(number, partial(orders.order_of, number), terms) for number in orders.numbers}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._stopping, self._doing = asyncio.Event(), asyncio.Lock()
        self._ready_told, self._recorded = False, True

    def stop(self) -> None:
        """Let `run` end everything and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Start all, keep them running. Whatever ends it, no enclave is left, or LaunchFailed says which and why.

        Raises NeverReady, GaveUp, what the launcher raises at the first start, and what `beside` raises.
        """
        async with errands_taken(self._folder.errands, self._do):
            beside = asyncio.create_task(self._beside())
            stopping = asyncio.create_task(self._stopping.wait())
            try:
                for number in self._watches:
                    self._start(number)
                await self._until_ended({beside, stopping})
            finally:
                await _cancelled([beside, stopping, *self._tasks.values()])
                self._folder.clear()  # not when one could not be ended: whoever comes next must know of it

    async def _until_ended(self, others: set[asyncio.Task[Any]]) -> None:
        while running := await self._running():
            done, _ = await asyncio.wait({*running, *others}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():
                    task.result()
            if self._stopping.is_set():
                return
        if given_up := [each for each in self._records() if each.state is State.GIVEN_UP]:
            endings = "; ".join(f"enclave {each.number}: {each.ending}" for each in given_up)
            raise GaveUp(f"every enclave ended again and again: {endings}")

    async def _running(self) -> list[asyncio.Task[None]]:
        async with self._doing:  # between the end of an enclave and its new start there may be none
            return [task for task in self._tasks.values() if not task.done()]

    def _records(self) -> list[Record]:
        return [watch.record for watch in self._watches.values()]

    async def _beside(self) -> None:
        while True:
            self._says.beside()
            if not self._recorded:
                self._record()
            await asyncio.sleep(_BESIDE_S)

    def _start(self, number: int) -> None:
        self._tasks[number] = asyncio.create_task(self._watches[number].run())

    async def _do(self, errand: Errand) -> None:
        if errand.enclave is None and errand.do == "stop":
            return self.stop()
        async with self._doing:
            for number in self._numbers(errand.enclave):
                await _cancelled([self._tasks[number]])
                self._watches[number].stopped()
                if errand.do == "restart":
                    self._start(number)
        return None

    def _numbers(self, number: int | None) -> list[int]:
        if number is None:
            return list(self._watches)
        if number not in self._watches:
            raise StateUnusable(f"enclave: expected a number from 1 to {len(self._watches)}, got {number}")
        return [number]

    def _changed(self, record: Record) -> None:
        self._record()
        self._tell(partial(self._says.changed, record))
        if not self._ready_told and all(each.state is State.READY for each in self._records()):
            self._ready_told = True
            self._says.ready()

    def _record(self) -> None:
        """Once all were ready, a full disk ends none of them: what stands there is then older, until there is room."""
        try:
            self._folder.write(Standing(self._launcher.name, self._pid, self._records()))
        except OSError as error:
            if not self._ready_told:
                raise
            if self._recorded:
                self._tell(partial(self._says.unrecorded, error))
            self._recorded = False
        else:
            self._recorded = True

    def _tell(self, say: Callable[[], None]) -> None:
        """Nor does an output that is full or closed."""
        try:
            say()
        except OSError:
            if not self._ready_told:
                raise


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel what still runs, wait for all of it, and raise what went wrong on the way."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    for outcome in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
