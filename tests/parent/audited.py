"""An enclave whose audit log can be pulled, and the auditor's look at what was stored."""

from dataclasses import dataclass, field
from pathlib import Path

from attestation.proofs.log import Boot, VerifiedLog, verify_log
from parent.audit.origin import Origin
from strongroom.cli.audit_folder import BootFolder
from strongroom.protocol.audit import LEAF_BYTES, MAX_PAGE_LEAVES, AuditPage
from strongroom.protocol.constants import MEDIA_AUDIT, MEDIA_EVIDENCE
from tests.attestation.issuing import Enclave
from tests.parent.support import Exchange, FakeEnclave


@dataclass
class AuditedEnclave(FakeEnclave):
    """Serves evidence and pages of its log; `kept_from` is the first leaf that it still has."""

    boot: Enclave = field(default_factory=Enclave)
    kept_from: int = 0
    page_leaves: int = MAX_PAGE_LEAVES

    def __post_init__(self) -> None:
        self.handlers |= {"GET /v1/evidence": self._evidence, "GET /v1/audit": self._audit}

    def pulls(self) -> list[int]:
        """The leaves that it was asked for, from which on."""
        asked = (request.partition("/v1/audit?from=") for request in self.requests)
        return [int(first) for _, path, first in asked if path]

    def page(self, first: int) -> AuditPage:
        """Leaves from `first` on, as far as there are any, and a checkpoint of now."""
        first = min(max(first, self.kept_from), len(self.boot.leaves))
        leaves = self.boot.leaves[first : first + self.page_leaves]
        return AuditPage(first, b"".join(leaves), self.boot.checkpoint())

    async def _evidence(self, exchange: Exchange) -> None:
        await exchange.answer(200, MEDIA_EVIDENCE, self.boot.evidence.to_bytes())

    async def _audit(self, exchange: Exchange) -> None:
        first = int(exchange.scope["query_string"].decode().removeprefix("from="))
        await exchange.answer(200, MEDIA_AUDIT, self.page(first).to_bytes())


def origin_of(boot: Enclave) -> Origin:
    return Origin.from_evidence(boot.evidence.to_bytes())


def folder_of(ledger: Path, boot: Enclave) -> Path:
    return ledger / boot.boot_id.hex()


def audited(ledger: Path, boot: Enclave) -> VerifiedLog:
    """What `strongroom audit verify` finds. Raises ProofRejected."""
    folder = BootFolder(folder_of(ledger, boot))
    assert folder.claim().boot_id == boot.boot_id.hex()
    with folder.log() as (leaves, checkpoints):
        return verify_log(Boot.of(boot.verified(), folder.evidence()), leaves, checkpoints)


def stored_leaves(ledger: Path, boot: Enclave) -> list[bytes]:
    data = (folder_of(ledger, boot) / "leaves").read_bytes()
    return [data[at : at + LEAF_BYTES] for at in range(0, len(data), LEAF_BYTES)]
