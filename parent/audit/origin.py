"""The origin of a log: one boot of one enclave, as its evidence says. Whether to believe it, the auditor judges."""

from dataclasses import dataclass, field
from typing import Self

from attestation.documents import AttestationDocument
from attestation.evidence import Evidence, boot_id


@dataclass(frozen=True)
class Origin:
    """Who signs a log, and the evidence that says so."""

    boot_id: bytes
    receipt_key: bytes = field(repr=False)
    evidence: bytes = field(repr=False)

    @classmethod
    def from_evidence(cls, data: bytes) -> Self:
        """Read evidence, and check that its document binds the receipt key. Raises AttestationError."""
        evidence = Evidence.from_bytes(data)
        document = AttestationDocument.from_bytes(evidence.document)
        evidence.check_binding(document)
        return cls(boot_id(document.module_id, evidence.receipt_key), evidence.receipt_key, data)
