"""One life of an enclave, seen from outside: how far it booted, by its own word, and whether it proved itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from parent.background import background, now_ms
from parent.control import Control
from parent.errors import EnclaveError
from parent.lifecycle.launcher import Launched
from parent.lifecycle.record import State
from parent.lifecycle.tail import LogTail
from parent.link import EnclaveLink
from parent.readiness import Readiness
from parent.trust import Trust
from strongroom.protocol.constants import BootState

_TIMEOUT_S = 5.0
_AGAIN_S = 30.0
"""From one proof to the next; Readiness believes in one for 60 s."""


class Observer:
    """Made by `observing`. An open port is nothing to it: READY is a document with a fresh nonce that verified."""

    def __init__(self, control: EnclaveLink, api: EnclaveLink, tail: LogTail, trust: Trust) -> None:
        self._control, self.tail = Control(control, step_timeout_s=_TIMEOUT_S), tail
        self._readiness = Readiness(api, trust, now_ms=now_ms, monotonic_s=time.monotonic)
        self._proved_s = -_AGAIN_S
        self.step: BootState | None = None

    @property
    def reason(self) -> str:
        """Of the latest verdict on its readiness."""
        return str(self._readiness.report()["reason"])

    async def look(self) -> State:
        """Ask it where it stands."""
        try:
            self.step = (await self._control.standing()).state
        except EnclaveError:
            self.step = None
            return State.BOOTING
        if self.step is BootState.READY:
            await self._prove()
            return State.READY if self._readiness.ready else State.CONFIGURED
        return State.BOOTED if self.step is BootState.BOOTED else State.CONFIGURED

    async def _prove(self) -> None:
        if self._readiness.ready and time.monotonic() - self._proved_s < _AGAIN_S:
            return
        await self._readiness.attempt()
        self._proved_s = time.monotonic()


@asynccontextmanager
async def observing(launched: Launched, trust: Trust) -> AsyncIterator[Observer]:
    """Look at an enclave for the length of the block."""
    async with AsyncExitStack() as stack:
        control, api = [
            await stack.enter_async_context(EnclaveLink(address, timeout_s=_TIMEOUT_S, max_exchanges=1))
            for address in (launched.control, launched.api)
        ]
        tail = LogTail(launched.log)
        await stack.enter_async_context(background("enclave-log", _endless(tail)))
        yield Observer(control, api, tail, trust)


async def _endless(tail: LogTail) -> None:
    await tail.run()
    await asyncio.Event().wait()
