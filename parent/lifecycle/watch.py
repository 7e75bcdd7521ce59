"""One enclave, started again whenever it ends: what a supervisor runs for each."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from attestation.errors import AttestationError
from parent.background import in_thread, now_ms
from parent.lifecycle.backoff import Backoff
from parent.lifecycle.errors import LifecycleError, NeverReady
from parent.lifecycle.launcher import Launched, Launcher, Order
from parent.lifecycle.observer import Observer, observing
from parent.lifecycle.record import Record, State
from parent.trust import Trust

_LOOK_S = 1.0
_FIRST_LOOK_S, _LOOKS_PER_AGE = 0.1, 5
_END_PAUSES_S = (0.5, 2.0)
_QUOTED_LINES = 5
_TURN_S = 0.05


@dataclass(frozen=True)
class Terms:
    """What all watches of a supervisor share. `changed` is called with the record of an enclave that changed."""

    launcher: Launcher
    trust: Trust
    changed: Callable[[Record], None]
    turn: asyncio.Lock
    """Starts come one at a time."""
    patience_s: float = 300.0
    """A life that was not ready after so long is ended."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Watch:
    """`order` is made anew for each start, so that the image is checked each time."""

    def __init__(self, number: int, order: Callable[[], Order], terms: Terms, backoff: Backoff | None = None) -> None:
        self.record = Record(number)
        self._order, self._terms, self._backoff = order, terms, backoff or Backoff()
        self._ever_ready = False
        self._ready_since_s: float | None = None
        self._last_lines: list[str] = []

    async def run(self) -> None:
        """Start it, and again whenever it ends; return when it ended too often. Cancelled, it leaves nothing running.

        Raises NeverReady when it ends before it was ever ready: what is wrong then is not mended by trying again.
        """
        while True:
            ending = await self._life()
            if not self._ever_ready:
                lines = self.record.last_lines[-_QUOTED_LINES:]
                raise NeverReady(" | ".join((f"enclave {self.record.number} was never ready: {ending}", *lines)))
            delay_s = self._backoff.after(self._ready_s())
            self._turn_to(State.GIVEN_UP if delay_s is None else State.WAITING)
            if delay_s is None:
                return
            await self._terms.sleep(delay_s)
            self.record.restarts += 1

    def stopped(self) -> None:
        """Note that the operator ended it."""
        self.record.end("stopped", self._last_lines)
        self._turn_to(State.STOPPED)

    def _ready_s(self) -> float:
        return 0.0 if self._ready_since_s is None else time.monotonic() - self._ready_since_s

    async def _life(self) -> str:
        """From a start to its end; how it ended."""
        started: list[Launched] = []
        self._ready_since_s, self._last_lines = None, []
        self._turn_to(State.STARTING)
        try:
            ending = await self._lived(started)
        except (LifecycleError, AttestationError, OSError) as error:
            if not self._ever_ready:
                raise
            ending = str(error)
        finally:
            for launched in started:
                await in_thread(partial(_end, self._terms.launcher, launched.enclave_id))
        self.record.end(ending, self._last_lines)
        return ending

    async def _lived(self, started: list[Launched]) -> str:
        async with self._terms.turn:
            await asyncio.sleep(_TURN_S)  # if the one before was refused, the supervisor cancels this one here
            # In a thread that is waited for, also when cancelled: what was started is then known, and ended.
            launcher, number = self._terms.launcher, self.record.number
            await in_thread(lambda: started.append(launcher.start(self._order())), lambda: launcher.abandon(number))
        [launched] = started
        self.record.begin(launched, now_ms())
        self._turn_to(State.BOOTING)
        async with observing(launched, self._terms.trust) as observer:
            try:
                ending = await self._observed(launched, observer)
            finally:  # also of one that the operator stops
                self._last_lines = observer.tail.lines
            self._last_lines = self._last_lines or self._terms.launcher.console(launched)
            return ending

    async def _observed(self, launched: Launched, observer: Observer) -> str:
        began_s = time.monotonic()
        while (ending := await in_thread(partial(self._terms.launcher.ending, launched))) is None:
            self._note(await observer.look(), observer)
            age_s = time.monotonic() - began_s
            if self._ready_since_s is None and age_s > self._terms.patience_s:
                return f"not ready within {self._terms.patience_s:.0f} s: {self._standing()}"
            await self._pause(observer, age_s)
        code = await observer.tail.last_code()
        return ending if code is None else f"{ending}, {code}"

    async def _pause(self, observer: Observer, age_s: float) -> None:
        """As of `look_again_s`; less when the log port closes, for then it has ended."""
        pause_s = look_again_s(age_s)
        if observer.tail.ended.is_set():
            await self._terms.sleep(pause_s)
            return
        await observer.tail.wait_ended(pause_s)

    def _standing(self) -> str:
        if self.record.state is State.BOOTED:
            return "it waits to be configured; is the gateway running, with this enclave among its addresses?"
        return f"{self.record.step or 'its control interface does not answer'}; {self.record.readiness}"

    def _note(self, state: State, observer: Observer) -> None:
        if state is State.READY and self._ready_since_s is None:
            self._ever_ready, self._ready_since_s = True, time.monotonic()
        if (state, observer.step, observer.reason) != (self.record.state, self.record.step, self.record.readiness):
            self.record.step, self.record.readiness = observer.step, observer.reason
            self._turn_to(state)

    def _turn_to(self, state: State) -> None:
        if state is not self.record.state or not self.record.since_ms:
            self.record.state, self.record.since_ms = state, now_ms()
        self._terms.changed(self.record)


def look_again_s(age_s: float) -> float:
    """A second; less in the first seconds after a start, so that a quick boot is not kept waiting."""
    return min(_LOOK_S, max(_FIRST_LOOK_S, age_s / _LOOKS_PER_AGE))


def _end(launcher: Launcher, enclave_id: str) -> None:
    """In a thread, all of it: a supervisor that is told to stop meanwhile waits for this, too."""
    for pause_s in _END_PAUSES_S:  # nitro-cli stumbles over an enclave that is just ending
        with suppress(LifecycleError):
            return launcher.terminate(enclave_id)
        time.sleep(pause_s)
    return launcher.terminate(enclave_id)
