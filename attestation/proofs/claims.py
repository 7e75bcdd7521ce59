"""Reading claims: a closed map, deterministic CBOR, every value bounded, nothing that contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attestation import cbor
from attestation import receipt_claims as claim
from attestation.checkpoints import CHECKPOINT_PROFILE, Checkpoint
from attestation.errors import Rejected
from attestation.merkle import EMPTY_ROOT
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs import claim_values as values
from attestation.proofs.counting import counted_leaves
from attestation.receipt_claims import RECEIPT_PROFILE, Outcome, ReceiptClaims

_Readers = Mapping[int, tuple[str, Callable[[object], object]]]

_RECEIPT: _Readers = {
    claim.RECEIPT_ID: ("request_id", values.request_id),
    claim.MODEL_ID: ("model", values.identifier),
    claim.MODEL_VERSION: ("model_version", values.identifier),
    claim.SEQUENCE_NUMBER: ("leaf_index", values.size),
    claim.EXECUTION_TIME_MS: ("duration_ms", values.count),
    claim.TIME_MS: ("time_ms", values.instant_ms),
    claim.MANIFEST_SHA384: ("manifest_sha384", values.sha384),
    claim.CATALOGUE_SHA384: ("catalogue_sha384", values.sha384),
    claim.DOCUMENT_SHA384: ("document_sha384", values.sha384),
    claim.KEYS_SHA384: ("keys_sha384", values.sha384),
    claim.RECEIPT_KEY: ("receipt_key", values.receipt_key),
    claim.KEY_POLICIES: ("key_policies", values.key_policies),
    claim.KMS_LEG: ("kms_leg", values.kms_leg),
    claim.REQUEST_COMMITMENT: ("request_commitment", values.sha256),
    claim.RESPONSE_COMMITMENT: ("response_commitment", values.sha256),
    claim.BOOT_ID: ("boot_id", values.sha256),
    claim.OUTCOME: ("outcome", values.outcome),
    claim.GENERATED_CHUNKS: ("generated_chunks", values.count),
    claim.SENT_CHUNKS: ("sent_chunks", values.count),
    claim.VERDICTS: ("verdicts", values.verdicts),
}
_DERIVED = (claim.PROFILE, claim.ISSUED_AT, claim.CHECKPOINT)
_CHECKPOINT: _Readers = {
    claim.TIME_MS: ("time_ms", values.instant_ms),
    claim.BOOT_ID: ("boot_id", values.sha256),
    claim.CHECKPOINT: ("tree", values.tree),
}


def read_receipt_claims(payload: bytes) -> ReceiptClaims:
    """The claims of a receipt's signed payload.

    Raises ProofRejected (receipt-cbor, receipt-profile, unknown-claim, missing-claim, claim-value, issued-at,
    own-checkpoint, chunks).
    """
    said = _closed_map(payload, RECEIPT_PROFILE, {*_RECEIPT, *_DERIVED})
    size, root = values.tree(said[claim.CHECKPOINT])
    fields: dict[str, Any] = {name: read(said[key]) for key, (name, read) in _RECEIPT.items()}
    claims = ReceiptClaims(**fields, root_before=root)
    _check_issued_at(claims, said[claim.ISSUED_AT])
    _check_own_checkpoint(claims, size)
    _check_chunks(claims)
    _check_model(claims)
    _check_encoding(claims.to_payload(), payload)
    return claims


def read_checkpoint_claims(payload: bytes) -> Checkpoint:
    """The claims of a checkpoint's signed payload. Raises ProofRejected, with the codes of a receipt's form."""
    said = _closed_map(payload, CHECKPOINT_PROFILE, {claim.PROFILE, *_CHECKPOINT})
    fields: dict[str, Any] = {name: read(said[key]) for key, (name, read) in _CHECKPOINT.items()}
    size, root = fields.pop("tree")
    checkpoint = Checkpoint(**fields, size=size, root=root)
    _check_empty(size, root)
    _check_encoding(checkpoint.to_payload(), payload)
    return checkpoint


def _closed_map(payload: bytes, profile: str, keys: set[int]) -> dict[object, object]:
    try:
        said = cbor.decode(payload)
    except Rejected as rejected:
        raise ProofRejected(ProofCode.CBOR, rejected.expected, rejected.actual) from None
    if not isinstance(said, dict):
        raise ProofRejected(ProofCode.CBOR, "a map of claims", type(said).__name__)
    if said.get(claim.PROFILE) != profile:
        raise ProofRejected(ProofCode.PROFILE, f"profile {profile}", "another or none")
    if unknown := said.keys() - keys:
        raise ProofRejected(ProofCode.UNKNOWN_CLAIM, f"the claims of {profile} only", f"{len(unknown)} others")
    if missing := keys - said.keys():
        raise ProofRejected(ProofCode.MISSING_CLAIM, f"every claim of {profile}", f"none of {sorted(missing)}")
    return said


def _check_issued_at(claims: ReceiptClaims, issued_at_s: object) -> None:
    if values.instant_s(issued_at_s) != claims.issued_at_s:
        raise ProofRejected(ProofCode.ISSUED_AT, "the instant of admission and the duration in one", "another instant")


def _check_own_checkpoint(claims: ReceiptClaims, size: int) -> None:
    if size != claims.leaf_index:
        raise ProofRejected(
            ProofCode.OWN_CHECKPOINT, f"a checkpoint of {counted_leaves(claims.leaf_index)}", f"of {size}"
        )
    _check_empty(size, claims.root_before)


def _check_empty(size: int, root: bytes) -> None:
    if (size == 0) != (root == EMPTY_ROOT):
        raise ProofRejected(ProofCode.OWN_CHECKPOINT, "the empty log's root, and for it alone", "another root")


def _check_chunks(claims: ReceiptClaims) -> None:
    sent, generated = claims.sent_chunks, claims.generated_chunks
    if sent > generated or (claims.outcome is Outcome.COMPLETE and not sent == generated >= 1):
        raise ProofRejected(ProofCode.CHUNKS, "chunks that agree with the outcome", f"{sent} sent of {generated}")


def _check_model(claims: ReceiptClaims) -> None:
    """A catalogued model has a manifest, a version and a key; where there was none, nothing can be complete."""
    if claims.manifest_sha384 != claim.NO_MANIFEST:
        if not claims.key_policies:
            raise values.wrong("the key policy of the model's key")
    elif claims.outcome is Outcome.COMPLETE or claims.model_version != claim.NO_MODEL_VERSION:
        raise values.wrong("an answer that is not complete, of no version, where there was no model")


def _check_encoding(canonical: bytes, payload: bytes) -> None:
    if canonical != payload:
        raise ProofRejected(ProofCode.CBOR, "the deterministic encoding", "another encoding of the same claims")
