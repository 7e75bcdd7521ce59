"""Believing a checkpoint: signed by the receipt key of the boot that it names."""

from __future__ import annotations

from attestation.checkpoints import Checkpoint
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.claims import read_checkpoint_claims
from attestation.proofs.envelopes import SignedPayload


def verify_checkpoint(data: bytes, *, receipt_key: bytes, boot_id: bytes) -> Checkpoint:
    """Read ``data`` and verify it for one boot. Raises ProofRejected (checkpoint-form, -boot, -signature)."""
    envelope, checkpoint = _read(data)
    if checkpoint.boot_id != boot_id:
        raise ProofRejected(ProofCode.CHECKPOINT_BOOT, f"a checkpoint of boot {boot_id.hex()}", "one of another boot")
    envelope.verify(receipt_key, ProofCode.CHECKPOINT_SIGNATURE)
    return checkpoint


def boot_of_checkpoint(data: bytes) -> bytes:
    """The boot that a checkpoint names, to find whose key must have signed it. Believes nothing; raises likewise."""
    return _read(data)[1].boot_id


def _read(data: bytes) -> tuple[SignedPayload, Checkpoint]:
    try:
        envelope = SignedPayload.from_bytes(data)
        return envelope, read_checkpoint_claims(envelope.payload)
    except ProofRejected as rejected:
        raise ProofRejected(ProofCode.CHECKPOINT_FORM, rejected.expected, rejected.actual) from None
