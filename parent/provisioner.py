"""Brings the enclave from `booted` to `ready`, keeps its credentials fresh, sends the models that it wants again, and
begins anew when it restarted.

The enclave's own state decides the next step, so a restart at any moment needs no special case. Steps the enclave does
not allow twice are remembered for one boot. Whatever fails is looked at again after a pause of at least one second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from parent.control import Control, Standing
from parent.credentials import Credentials
from parent.delivery import Delivery, SealedModel
from parent.errors import EnclaveError, GatewayError
from parent.pace import Pace, Pauses
from parent.settings import DEFAULT_WEIGHT_STREAMS, Sources
from strongroom.process import emit
from strongroom.protocol.constants import BootState


class Provisioner:
    """Drives the control interface. `read_credentials` blocks and is called in a thread, with the time in ms."""

    def __init__(
        self,
        control: Control,
        sources: Sources,
        read_credentials: Callable[[int], Credentials],
        *,
        now_ms: Callable[[], int],
        weight_streams: int = DEFAULT_WEIGHT_STREAMS,
        state_changed: Callable[[], None] = lambda: None,
        pace: Pace | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._control, self._sources, self._state_changed = control, sources, state_changed
        self._read_credentials, self._now_ms, self._pace = read_credentials, now_ms, pace or Pace()
        self._weight_streams, self._sleep = weight_streams, sleep
        self._standing: Standing | None = None
        self._delivery: Delivery | None = None
        self._released: set[str] = set()
        self._loaded: set[str] = set()
        self._refresh_at_ms = 0
        self._told: tuple[BootState | None, str, str] | None = None
        self._steps: dict[BootState, Callable[[], Awaitable[None]]] = {
            BootState.BOOTED: self._configure,
            BootState.CONFIGURED: self._catalogue,
            BootState.CATALOGUED: self._check_key,
            BootState.KEY_CHECKED: self._release,
            BootState.RELEASED: self._load,
            BootState.READY: self._serve,
        }

    @property
    def starting(self) -> bool:
        """True while the enclave answers on its control interface and is not ready."""
        return self._state not in (None, BootState.READY)

    def report(self) -> Mapping[str, object]:
        """How many models the enclave has loaded, and how many more it wants; nothing while it does not answer."""
        standing = self._standing
        return {} if standing is None else {"models": {"loaded": len(standing.loaded), "wanted": len(standing.wanted)}}

    @property
    def _state(self) -> BootState | None:
        return self._standing.state if self._standing else None

    async def run(self) -> None:
        """Provision for ever."""
        pauses = Pauses(self._pace)
        while True:
            before = self._state
            try:
                await self.advance()
            except (GatewayError, OSError) as error:
                self._tell(error)
                await self._sleep(pauses.after_failure(reached=self._standing is not None))
            else:
                pauses.succeeded()
                self._told = None
                if self._state in (before, BootState.READY):
                    await self._sleep(self._pace.watch_s)

    async def advance(self) -> None:
        """Look where the enclave stands and take the one step due. Raises EnclaveError, ProvisioningError, OSError."""
        try:
            standing = await self._control.standing()
        except EnclaveError:
            self._note(None)
            raise
        if standing.state is BootState.BOOTED:
            self._forget()
        self._note(standing)
        await self._steps[standing.state]()

    def _note(self, standing: Standing | None) -> None:
        before, self._standing = self._state, standing
        if self._state is not before:
            emit("enclave-state", state=self._state or "unknown")
            self._state_changed()

    def _tell(self, error: GatewayError | OSError) -> None:
        """Once in a row: an enclave that is gone is looked for every other second, maybe for days."""
        told = (self._state, type(error).__name__, _reason(error))
        if told != self._told:
            self._told = told
            emit("provisioning-paused", state=told[0], type=told[1], reason=told[2])

    def _forget(self) -> None:
        self._delivery = None
        self._released.clear()
        self._loaded.clear()
        self._refresh_at_ms = 0

    async def _delivered(self) -> Delivery:
        if self._delivery is None:
            self._delivery = await asyncio.to_thread(Delivery.load, self._sources)
        return self._delivery

    async def _configure(self) -> None:
        await self._control.configure((await self._delivered()).configuration)

    async def _catalogue(self) -> None:
        await self._control.catalogue((await self._delivered()).catalogue)

    async def _check_key(self) -> None:
        await self._refresh_credentials()
        await self._control.check_key()

    async def _release(self) -> None:
        for model in (await self._delivered()).models:
            if model.id not in self._released:
                await self._refresh_credentials()
                await self._control.release(model)
                self._released.add(model.id)

    async def _load(self) -> None:
        # Those at the catalogue's beginning come last: they stay, where memory does not hold all of them.
        for model in reversed((await self._delivered()).models):
            if model.id not in self._loaded:
                await self._send(model)
                self._loaded.add(model.id)

    async def _serve(self) -> None:
        """Refresh the credentials when due; send the first wanted model that the enclave takes.

        After that it may want others. The first failure is raised after all tries.
        """
        await self._refresh_credentials()
        failures = []
        for model in await self._wanted():
            if (failure := await self._send_again(model)) is None:
                break
            failures.append(failure)
        if failures:
            raise failures[0]

    async def _wanted(self) -> Sequence[SealedModel]:
        if self._standing is None or not self._standing.wanted:
            return ()
        models = {model.id: model for model in (await self._delivered()).models}
        return [models[model_id] for model_id in self._standing.wanted if model_id in models]

    async def _send_again(self, model: SealedModel) -> GatewayError | None:
        try:
            await self._control.release(model)
            await self._send(model)
        except GatewayError as failure:
            return failure
        emit("model-loaded-again", model=model.id)
        return None

    async def _send(self, model: SealedModel) -> None:
        """All segments side by side; the first that fails ends the others, and is what failed."""
        try:
            async with asyncio.TaskGroup() as streams:
                for segment in model.segments(self._weight_streams):
                    streams.create_task(self._control.load(model, segment))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _refresh_credentials(self) -> None:
        """Push when due: after `refresh_s`, or at half the lifetime that they had left when read."""
        at_ms = self._now_ms()
        if at_ms < self._refresh_at_ms:
            return
        credentials = await asyncio.to_thread(self._read_credentials, at_ms)
        await self._control.push_credentials(credentials)
        self._refresh_at_ms = at_ms + min(int(self._pace.refresh_s * 1000), (credentials.expires_ms - at_ms) // 2)


def _reason(error: GatewayError | OSError) -> str:
    """Our own errors say what to do and hold no content; of a foreign one only the kind is told."""
    return str(error) if isinstance(error, GatewayError) else (getattr(error, "strerror", None) or "I/O error")
