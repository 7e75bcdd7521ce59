"""Receipts: what this boot signs about each answer, and its one place in the log (docs/receipts.md)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from attestation.receipt_claims import NO_MANIFEST, NO_MODEL_VERSION, Outcome, ReceiptClaims
from attestation.receipts import ReceiptSalts, commitment, issue_receipt
from enclave.boot.sequence import BootSequence
from enclave.evidence import ClientEvidence
from enclave.serving.admission import Admitted
from enclave.serving.audit import AuditLog
from strongroom.protocol.catalogue import CatalogueEntry
from strongroom.protocol.contents import request_content, response_content
from strongroom.protocol.payloads import Event, GenerationEnd


@dataclass
class Progress:
    """One answer while it is made."""

    admitted: Admitted
    salts: ReceiptSalts
    events: list[Event] = field(default_factory=list)
    generated_chunks: int = 0
    sent_chunks: int = 0
    ended: bool = False
    """Its receipt is issued; nothing may follow."""

    @property
    def tokens(self) -> int | None:
        """How many were generated, once that is known."""
        end = self.events[-1] if self.events else None
        return end.completion_tokens if isinstance(end, GenerationEnd) else None


class Receipts:
    """Issues the receipts of one boot, in the order of its log. Use it on one event loop."""

    def __init__(self, boot: BootSequence, log: AuditLog) -> None:
        self._key, self._clock = boot.identity.keys.receipt, boot.identity.clock
        self._catalogue, self._catalogue_sha384 = boot.catalogue, boot.catalogue_sha384
        self._evidence: ClientEvidence = boot.client_evidence
        self._log = log

    def issue(self, progress: Progress, outcome: Outcome) -> bytes:
        """Sign a receipt and append its leaf, in one step that nothing else of the event loop can come between."""
        issued = issue_receipt(self._claims(progress, outcome), self._key, progress.salts.leaf)
        self._log.append(issued.leaf)
        progress.ended = True
        return issued.receipt

    def _claims(self, progress: Progress, outcome: Outcome) -> ReceiptClaims:
        admitted, salts = progress.admitted, progress.salts
        model = self._catalogue.find(admitted.head.model)
        return ReceiptClaims(
            request_id=admitted.head.request_id,
            time_ms=admitted.at_ms,
            duration_ms=self._clock.now_ms() - admitted.at_ms,
            model=admitted.head.model,
            model_version=model.version if model else NO_MODEL_VERSION,
            manifest_sha384=bytes.fromhex(model.manifest_sha384) if model else NO_MANIFEST,
            catalogue_sha384=self._catalogue_sha384,
            document_sha384=admitted.document.digest,
            keys_sha384=self._evidence.keys_sha384,
            receipt_key=self._evidence.receipt_key,
            key_policies={entry: self._evidence.key_list.key_policies[entry] for entry in _entries(admitted, model)},
            kms_leg=self._evidence.key_list.kms_leg,
            request_commitment=commitment(salts.request, request_content(admitted.request.task)),
            response_commitment=commitment(salts.response, response_content(progress.events)),
            boot_id=admitted.document.boot_id,
            leaf_index=self._log.size,
            root_before=self._log.root(),
            outcome=outcome,
            generated_chunks=progress.generated_chunks,
            sent_chunks=progress.sent_chunks,
        )


def _entries(admitted: Admitted, model: CatalogueEntry | None) -> Iterator[str]:
    """The key entries that were used: of the model's weights, and of the request if it was an envelope."""
    if model is not None:
        yield model.key
    if admitted.key_entry is not None:
        yield admitted.key_entry
