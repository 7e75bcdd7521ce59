"""What lives as long as the gateway's application: link, readiness, metrics, and the provisioner if there is one."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from parent.control import Control
from parent.credentials import read_credentials
from parent.errors import EnclaveError, EnclaveUnreachable, GatewayError
from parent.link import EnclaveLink
from parent.metrics import Metrics
from parent.problems import problem_for
from parent.provisioner import Provisioner
from parent.readiness import Readiness
from parent.settings import Settings, Sources
from parent.trust import Trust
from strongroom.process import emit
from strongroom.protocol.problems import Problem
from strongroom.transport.addresses import Address

_PROBE_EXCHANGES = 1
_PROBE_TIMEOUT_S = 10.0


class Gateway:
    """The parts that the routes share. Raises SettingsError when a file that the settings name cannot be used."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        limits = settings.limits
        self.metrics = metrics
        self.link = EnclaveLink(
            settings.enclave_api, timeout_s=limits.enclave_timeout_s, max_exchanges=limits.max_exchanges
        )
        # A way of its own: clients that fill the link say nothing about the enclave.
        self._probe = EnclaveLink(
            settings.enclave_api,
            timeout_s=min(limits.enclave_timeout_s, _PROBE_TIMEOUT_S),
            max_exchanges=_PROBE_EXCHANGES,
        )
        self.readiness = Readiness(self._probe, Trust.load(settings), now_ms=_now_ms, monotonic_s=time.monotonic)
        metrics.watch_ready(lambda: self.readiness.ready)
        self._settings = settings
        self._provisioner: Provisioner | None = None

    def problem_of(self, error: GatewayError) -> Problem:
        """The outward problem of an error; counts it, and looks at the enclave anew when an exchange failed."""
        if isinstance(error, EnclaveError):
            self.metrics.enclave_failed(error.kind)
        if isinstance(error, EnclaveUnreachable):
            self.readiness.doubt()
            if self._provisioner is not None and self._provisioner.starting:
                return Problem.NOT_READY
        return problem_for(error)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the links and keep the background work going while the application runs."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.link)
            await stack.enter_async_context(self._probe)
            await stack.enter_async_context(_background("readiness", self.readiness.run()))
            if self._settings.sources is not None and self._settings.enclave_control is not None:
                await self._provision(stack, self._settings.enclave_control, self._settings.sources)
            yield

    async def _provision(self, stack: AsyncExitStack, address: Address, sources: Sources) -> None:
        timeout_s = self._settings.limits.enclave_timeout_s
        streams = self._settings.weight_streams
        link = EnclaveLink(address, timeout_s=timeout_s, max_exchanges=streams)
        control = Control(await stack.enter_async_context(link), step_timeout_s=timeout_s)
        self._provisioner = Provisioner(
            control,
            sources,
            read_credentials,
            now_ms=_now_ms,
            weight_streams=streams,
            state_changed=self.readiness.doubt,
        )
        await stack.enter_async_context(_background("provisioner", self._provisioner.run()))


@asynccontextmanager
async def _background(name: str, work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run work that never ends beside the block; should it fail, the log says so and readiness goes stale."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: _report_end(name, done))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _report_end(name: str, task: "asyncio.Task[None]") -> None:
    if not task.cancelled():
        emit("background-work-failed", work=name, type=type(task.exception()).__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
