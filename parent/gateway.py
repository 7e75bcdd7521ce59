"""What lives as long as the gateway's application: the enclaves, the way to each request's, and the metrics."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from parent.audit.ledger import AuditLedger
from parent.enclave import Enclave
from parent.errors import EnclaveError, EnclaveUnreachable, GatewayError
from parent.fleet import Fleet
from parent.metrics import Metrics
from parent.problems import problem_for
from parent.router import Router
from parent.settings import Settings
from parent.trust import Trust
from strongroom.protocol.problems import Problem


class Gateway:
    """The parts that the routes share. Raises SettingsError when a file that the settings name cannot be used."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.metrics = metrics
        self.trust = Trust.load(settings)
        ledger = None if settings.audit_log is None else AuditLedger.at(settings.audit_log)
        self.fleet = Fleet(
            [
                Enclave(number, addresses, settings, self.trust, ledger)
                for number, addresses in enumerate(settings.enclaves, 1)
            ]
        )
        self.router = Router(self.fleet)
        metrics.watch(self.fleet)

    def problem_of(self, error: GatewayError) -> Problem:
        """The outward problem of an error; counts it, and looks at the enclaves anew when an exchange failed."""
        if isinstance(error, EnclaveError):
            self.metrics.enclave_failed(error.kind)
        if isinstance(error, EnclaveUnreachable):
            self.fleet.doubt()
            if self.fleet.starting:
                return Problem.NOT_READY
        return problem_for(error)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Open the way to every enclave, and keep their background work going, while the application runs."""
        async with AsyncExitStack() as stack:
            for enclave in self.fleet.enclaves:
                await stack.enter_async_context(enclave.opened())
            yield
