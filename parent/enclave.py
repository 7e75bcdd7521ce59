"""One enclave as the gateway sees it: the ways to it, whether it proved itself, and the keys that it stated."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from attestation.evidence import Evidence
from attestation.proof_errors import ProofRejected
from parent.audit.keeper import AuditKeeper
from parent.audit.ledger import AuditLedger
from parent.background import background, now_ms
from parent.control import Control
from parent.credentials import read_credentials
from parent.enclave_metrics import EnclaveMetrics
from parent.errors import EnclaveBroken
from parent.evidence import fetch_evidence
from parent.link import EnclaveLink
from parent.measured import measured_in_flight
from parent.provisioner import Provisioner
from parent.readiness import Readiness
from parent.settings import EnclaveAddresses, Settings
from parent.stated_keys import key_ids_of
from parent.trust import Trust
from parent.turns import Turns
from strongroom.protocol.errors import ProtocolError

MAX_QUESTIONS = 8
"""Clients' questions other than sealed requests, at a time."""
_PROBE_EXCHANGES = 4
"""Readiness, a look at the keys, the metrics, and the audit log."""
_PROBE_TIMEOUT_S = 10.0
_LOOK_TIMEOUT_S = 3.0
"""Requests to all enclaves wait for a look at the keys of each: one that hangs must not hold them long."""


class Enclave:
    """Open before use. `number` counts from 1, in the order of the settings."""

    def __init__(
        self, number: int, addresses: EnclaveAddresses, settings: Settings, trust: Trust, ledger: AuditLedger | None
    ) -> None:
        limits = settings.limits
        self.number = number
        self.link = EnclaveLink(addresses.api, timeout_s=limits.enclave_timeout_s, max_exchanges=limits.max_exchanges)
        self.turns = Turns(_places(settings), max_waiting=limits.max_waiting, patience_s=limits.turn_timeout_s)
        # Ways of their own: questions, which cost nothing to ask, keep no sealed request out; and clients that fill
        # either link say nothing about the enclave.
        probe_timeout_s = min(limits.enclave_timeout_s, _PROBE_TIMEOUT_S)
        self.questions = EnclaveLink(addresses.api, timeout_s=probe_timeout_s, max_exchanges=MAX_QUESTIONS)
        self._probe = EnclaveLink(addresses.api, timeout_s=probe_timeout_s, max_exchanges=_PROBE_EXCHANGES)
        self.readiness = Readiness(self._probe, trust, now_ms=now_ms, monotonic_s=time.monotonic)
        self.keeper = None if ledger is None else AuditKeeper(self._probe, ledger, str(addresses.api), number)
        self.metrics = EnclaveMetrics(self._probe)
        self.key_ids: frozenset[bytes] = frozenset()
        """Of the keys in the latest evidence that came from it."""
        self._addresses, self._settings = addresses, settings
        self._provisioner: Provisioner | None = None

    @property
    def load(self) -> int:
        """How many requests are in flight there or wait for it."""
        return self.link.in_flight + self.turns.waiting

    @property
    def starting(self) -> bool:
        """True while it answers on its control interface and is not ready."""
        return self._provisioner is not None and self._provisioner.starting

    def report(self) -> Mapping[str, object]:
        """Its readiness; its models if it is provisioned here; how its audit log fares if one is kept."""
        kept = {} if self.keeper is None else {"audit_log": self.keeper.report()}
        models = {} if self._provisioner is None else self._provisioner.report()
        return {"enclave": self.number, **self.readiness.report(), **models, **kept}

    async def evidence(self, suffix: str) -> bytes:
        """Evidence for a client (see fetch_evidence); its keys are noted. Raises EnclaveError, EnclaveProblem."""
        data = await fetch_evidence(self.questions, suffix)
        self._note(data)
        return data

    async def look_at_keys(self) -> None:
        """Note which keys it has now. Raises EnclaveError, EnclaveProblem."""
        self._note(await fetch_evidence(self._probe, timeout_s=_LOOK_TIMEOUT_S))

    def _note(self, evidence: bytes) -> None:
        try:
            self.key_ids = key_ids_of(Evidence.from_bytes(evidence).key_list)
        except (ProofRejected, ProtocolError):
            raise EnclaveBroken("expected evidence with a key list, got something else") from None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open the links and keep the background work going beside the block."""
        async with AsyncExitStack() as stack:
            for link in (self.link, self.questions, self._probe):
                await stack.enter_async_context(link)
            await stack.enter_async_context(background("readiness", self.readiness.run()))
            await stack.enter_async_context(background("metrics", self.metrics.run()))
            if self.keeper is not None:
                await stack.enter_async_context(background("audit-log", self.keeper.run()))
            await self._provision(stack)
            yield

    async def _provision(self, stack: AsyncExitStack) -> None:
        sources, address = self._settings.sources, self._addresses.control
        if sources is None or address is None:
            return
        timeout_s, streams = self._settings.limits.enclave_timeout_s, self._settings.weight_streams
        link = await stack.enter_async_context(EnclaveLink(address, timeout_s=timeout_s, max_exchanges=streams))
        self._provisioner = Provisioner(
            Control(link, step_timeout_s=timeout_s),
            sources,
            read_credentials,
            now_ms=now_ms,
            weight_streams=streams,
            state_changed=self.readiness.doubt,
        )
        await stack.enter_async_context(background("provisioner", self._provisioner.run()))


def _places(settings: Settings) -> int:
    """Sealed requests at a time: no more than the enclave takes, if that is known."""
    measured = None if settings.sources is None else measured_in_flight(settings.sources.configuration)
    return min(settings.limits.max_exchanges, measured or settings.limits.max_exchanges)
