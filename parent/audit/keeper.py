"""Keeps the audit log of one enclave: pulls what is new, once a second at most, and has it on disk before it asks on.

The enclave forgets old leaves, and what is stored convinces nobody unless the enclave signed it: a gap, a fork or a
full disk is told at once, in log, metrics and readiness. Requests are served all the same.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from attestation.errors import AttestationError
from parent.audit.boot_log import BootLog
from parent.audit.errors import LogGap
from parent.audit.ledger import AuditLedger
from parent.audit.origin import Origin
from parent.audit.state import AuditState, state_after
from parent.background import in_thread
from parent.errors import EnclaveBroken, GatewayError
from parent.evidence import fetch_evidence
from parent.link import EnclaveLink
from strongroom.process import emit
from strongroom.protocol.audit import MAX_PAGE_BYTES, AuditPage
from strongroom.protocol.constants import MEDIA_AUDIT, PATH_AUDIT
from strongroom.protocol.errors import ProtocolError


@dataclass(frozen=True)
class KeeperPace:
    """Seconds between pulls; after alarming failures twice as many each time, up to `max_retry_s`."""

    pull_s: float = 1.0
    max_retry_s: float = 30.0
    last_s: float = 1.0
    """That the very last pull may take."""


class AuditKeeper:
    """`enclave` names it in the ledger, `number` everywhere else."""

    def __init__(
        self, link: EnclaveLink, ledger: AuditLedger, enclave: str, number: int, pace: KeeperPace | None = None
    ) -> None:
        self._link, self._ledger, self._enclave, self._number = link, ledger, enclave, number
        self._pace = pace or KeeperPace()
        self._log: BootLog | None = None
        self.state, self._reason = AuditState.WAITING, "nothing was pulled yet"
        self.leaves = self.due = 0
        """Stored of this boot, and known to be still missing."""
        self.failures: Counter[AuditState] = Counter()
        """Failed pulls, by what they meant."""

    def report(self) -> Mapping[str, object]:
        """The outcome of the latest pull, and why; how many leaves of this boot are stored, how many are due."""
        return {"state": self.state, "reason": self._reason, "leaves": self.leaves, "due": self.due}

    async def run(self) -> None:
        """Pull until cancelled, and once more then; a write that has begun is ended first."""
        pause_s = self._pace.pull_s
        try:
            while True:
                await self.attempt()
                pause_s = min(2 * pause_s, self._pace.max_retry_s) if self.state.alarming else self._pace.pull_s
                await asyncio.sleep(pause_s)
        finally:
            await self._pull_the_last()
            self._close()

    async def attempt(self) -> None:
        """One pull, one outcome."""
        try:
            await self._pull_from_whatever_boot()
        except Exception as error:
            state = state_after(error)
            self.failures[state] += 1
            if state.alarming and state is not AuditState.GAP:  # which leaves no doubt about what is stored
                self._close()
            self._conclude(state, _reason(error))
        else:
            self._conclude(AuditState.KEPT, "the enclave's log is stored")

    async def _pull_the_last(self) -> None:
        """What was answered meanwhile: gateway and enclave often end together, and the enclave forgets all."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.last_s):
                await self.attempt()

    async def _pull_from_whatever_boot(self) -> None:
        if self._log is not None:
            try:
                return await self._pull(self._log)
            except AttestationError:  # perhaps of another boot
                self._close()
        return await self._pull(await self._begin())

    async def _begin(self) -> BootLog:
        origin = Origin.from_evidence(await fetch_evidence(self._link))

        def opened() -> BootLog:
            self._log = self._ledger.open(self._enclave, origin)  # here: nobody waits for a result when cancelled
            return self._log

        log = await in_thread(opened)
        emit("audit-log-opened", enclave=self._number, boot=origin.boot_id.hex(), leaves=log.size)
        return log

    async def _pull(self, log: BootLog) -> None:
        first = log.size
        path = f"{PATH_AUDIT}?from={first}"
        page = AuditPage.from_bytes(await self._link.fetch(path, media_type=MEDIA_AUDIT, max_bytes=MAX_PAGE_BYTES))
        leaves = page.leaves if page.first == first else b""
        self.due = await in_thread(lambda: log.extend(leaves, page.checkpoint))
        self.leaves = log.size
        if page.first > first:
            raise LogGap(f"expected leaves from {first} on, got them from {page.first} on")
        if page.first < first:
            raise EnclaveBroken(f"expected leaves from {first} on, got earlier ones")

    def _conclude(self, state: AuditState, reason: str) -> None:
        if state is not self.state:
            emit("audit-log", enclave=self._number, state=state, reason=reason)
        self.state, self._reason = state, reason

    def _close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None


def _reason(error: Exception) -> str:
    """Ours say what was expected; those of the system would name paths, others anything."""
    match error:
        case GatewayError() | AttestationError() | ProtocolError():
            return str(error)
        case OSError():
            return error.strerror or "I/O error"
        case _:
            return type(error).__name__
