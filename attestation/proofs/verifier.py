"""The receipt verifier. A receipt passes every layer that is asked for, in this order, or there is no result at all:

1. form       the envelope and the claims, strictly, one encoding only
2. document   it names the verified document: an enclave's, by the digest of its signed payload
3. binding    that document binds the receipt's key list and receipt key; boot id and PCR16 follow from it
4. signature  by that receipt key
5. time       admitted from the document's timestamp to two hours later, within its certificates' validity
6. request    } the content that is shown opens the commitment; skipped when none is shown
7. response   }
8. log        the leaf, and all before it, under a signed checkpoint of its boot; skipped without a proof

The document was judged before, under the caller's policy and anchor: a VerifiedDocument says so by its type.
"""

from __future__ import annotations

import hashlib
from dataclasses import InitVar, dataclass
from typing import final

from attestation.bindings import check_statement_binding
from attestation.documents import AttestationDocument
from attestation.errors import Rejected
from attestation.evidence import Evidence, boot_id
from attestation.measurements import CATALOGUE_PCR, ZERO, extend
from attestation.proof_errors import Layer, ProofCode, ProofRejected
from attestation.proofs import statements
from attestation.proofs.checkpoints import verify_checkpoint
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.envelopes import SignedPayload
from attestation.proofs.inclusion import roots_of_path
from attestation.proofs.openings import LogProof, Opening
from attestation.receipt_claims import ReceiptClaims
from attestation.receipts import leaf_data
from attestation.verifier import VerifiedDocument

DOCUMENT_WINDOW_MS = 7_200_000
"""Beyond the longest ``document_refresh_s`` of a configuration: a document answers no longer (review R14)."""

_GUARD = object()


@final
@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt that passed every layer but ``skipped``; only ``verify_receipt`` makes these."""

    claims: ReceiptClaims
    document: VerifiedDocument
    payload_sha256: bytes
    """SHA-256 of the signed payload: the receipt's name."""
    skipped: tuple[Layer, ...]
    proves: tuple[str, ...]
    does_not_prove: tuple[str, ...]
    guard: InitVar[object]

    def __init_subclass__(cls) -> None:
        raise TypeError("expected no subclass of VerifiedReceipt: it could leave out the guard")

    def __post_init__(self, guard: object) -> None:
        if guard is not _GUARD:
            raise TypeError("expected attestation.proofs.verifier.verify_receipt to make a VerifiedReceipt")

    @property
    def simulated(self) -> bool:
        """By the document's trust anchor; no receipt says what it ran on."""
        return self.document.simulated

    @property
    def checked(self) -> tuple[Layer, ...]:
        """The layers that held."""
        return tuple(layer for layer in Layer if layer not in self.skipped)


def verify_receipt(
    receipt: bytes,
    document: VerifiedDocument,
    *,
    evidence: Evidence | None = None,
    request: Opening | None = None,
    response: Opening | None = None,
    log: LogProof | None = None,
) -> VerifiedReceipt:
    """Judge ``receipt`` by the layers above; ``evidence``, if the document came in some, must be what it binds.

    Raises ProofRejected; TypeError for a document that nobody verified.
    """
    if not isinstance(document, VerifiedDocument):
        raise TypeError("expected a VerifiedDocument: verify the attestation document first")
    envelope = SignedPayload.from_bytes(receipt)
    claims = read_receipt_claims(envelope.payload)
    _check_document(claims, document.document)
    _check_binding(claims, document.document, evidence)
    envelope.verify(claims.receipt_key, ProofCode.SIGNATURE)
    _check_time(claims, document)
    if request is not None:
        request.check(claims.request_commitment, ProofCode.REQUEST)
    if response is not None:
        response.check(claims.response_commitment, ProofCode.RESPONSE)
    if log is not None:
        _check_log(claims, leaf_data(log.leaf_salt, envelope.payload), log)
    shown = {Layer.REQUEST: request, Layer.RESPONSE: response, Layer.LOG: log}
    skipped = tuple(layer for layer, part in shown.items() if part is None)
    return VerifiedReceipt(
        claims=claims,
        document=document,
        payload_sha256=hashlib.sha256(envelope.payload).digest(),
        skipped=skipped,
        proves=statements.proves(claims, document, skipped),
        does_not_prove=statements.does_not_prove(claims, document, skipped),
        guard=_GUARD,
    )


def check_enclave(document: AttestationDocument) -> None:
    """Only an enclave's document can bind a receipt key. Raises ProofRejected (document-kind).

    A NitroTPM's user data is whatever its instance's root likes.
    """
    if document.kind != "enclave":
        raise ProofRejected(ProofCode.DOCUMENT_KIND, "the document of an enclave", document.kind)


def _check_document(claims: ReceiptClaims, document: AttestationDocument) -> None:
    check_enclave(document)
    if claims.document_sha384 != document.payload_digest:
        named = f"the document with digest {claims.document_sha384.hex()}"
        raise ProofRejected(ProofCode.OTHER_DOCUMENT, named, document.payload_digest.hex())


def _check_binding(claims: ReceiptClaims, document: AttestationDocument, evidence: Evidence | None) -> None:
    try:
        check_statement_binding(document, claims.keys_sha384, claims.receipt_key)
        if evidence is not None:
            evidence.check_binding(document)
    except Rejected as rejected:
        raise ProofRejected(ProofCode.NOT_BOUND, rejected.expected, rejected.actual) from None
    if claims.boot_id != boot_id(document.module_id, claims.receipt_key):
        raise ProofRejected(ProofCode.OTHER_BOOT, "the boot id of this module and receipt key", "another")
    if document.pcrs.get(CATALOGUE_PCR) != extend(ZERO, claims.catalogue_sha384):
        raise ProofRejected(ProofCode.OTHER_CATALOGUE, f"PCR{CATALOGUE_PCR} of this catalogue", "another or none")


def _check_time(claims: ReceiptClaims, document: VerifiedDocument) -> None:
    first = document.document.timestamp_ms
    last = min(first + DOCUMENT_WINDOW_MS, document.valid_until_ms)
    if claims.time_ms < first:
        raise ProofRejected(ProofCode.BEFORE_DOCUMENT, f"an instant from {first}", f"{claims.time_ms}")
    if claims.time_ms > last:
        raise ProofRejected(ProofCode.AFTER_DOCUMENT, f"an instant until {last}", f"{claims.time_ms}")


def _check_log(claims: ReceiptClaims, leaf: bytes, log: LogProof) -> None:
    covering = verify_checkpoint(log.inclusion.checkpoint, receipt_key=claims.receipt_key, boot_id=claims.boot_id)
    roots = roots_of_path(leaf, claims.leaf_index, covering.size, log.inclusion.path)
    if roots.whole != covering.root:
        raise ProofRejected(ProofCode.INCLUSION, "the checkpoint's root", "another at the end of the path")
    if roots.before != claims.root_before:
        raise ProofRejected(ProofCode.OTHER_PREFIX, "the root that the receipt states of the log before it", "another")
