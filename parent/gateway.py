"""What lives as long as the gateway's application: the enclaves, the way to each request's, and the metrics."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from parent.audit.ledger import AuditLedger
from parent.enclave import MAX_QUESTIONS, Enclave
from parent.errors import EnclaveError, EnclaveUnreachable, GatewayError
from parent.fleet import Fleet
from parent.metrics import Metrics
from parent.problems import problem_for
from parent.router import Router
from parent.settings import Limits, Settings
from parent.trust import Trust
from parent.turns import Turns
from strongroom.protocol.problems import Problem

_MAX_UPLOADS = 16
"""Bodies of more than 64 KiB that come in at a time: each may be all that `max_body_bytes` allows, in memory."""


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
        self.questions, self.uploads = (_turns(settings.limits, places) for places in (MAX_QUESTIONS, _MAX_UPLOADS))
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


def _turns(limits: Limits, places: int) -> Turns:
    return Turns(places, max_waiting=limits.max_waiting, patience_s=limits.turn_timeout_s)
