"""Invariant of ``read_receipt_claims`` and ``read_checkpoint_claims``: ProofRejected, or claims of one encoding.

Written again, they give the same bytes. No payload is a receipt's and a checkpoint's.
"""

from __future__ import annotations

from collections.abc import Callable

from attestation.checkpoints import Checkpoint
from attestation.proof_errors import Layer, ProofRejected
from attestation.proofs.claims import read_checkpoint_claims, read_receipt_claims
from attestation.receipt_claims import NO_MANIFEST, NO_MODEL_VERSION, Outcome, ReceiptClaims
from tests.attestation import bombs
from tests.attestation.issuing import ADMITTED_MS, Enclave, enclave_a
from tests.fuzz.targets import check

Claims = ReceiptClaims | Checkpoint


def seeds() -> list[bytes]:
    enclave = enclave_a()
    first = Enclave("A").issue()
    cancelled = {"outcome": Outcome.CANCELLED, "sent_chunks": 1, "verdicts": (("pii", "passed"),)}
    absent = {"outcome": Outcome.FAILED, "manifest_sha384": NO_MANIFEST, "model_version": NO_MODEL_VERSION}
    receipts = [enclave.claims(first.salts, **changes) for changes in ({}, cancelled, absent)]
    checkpoint = Checkpoint(enclave.boot_id, 0, enclave.frontier.root(), ADMITTED_MS)
    return [*(receipt.to_payload() for receipt in receipts), checkpoint.to_payload(), *bombs.payloads().values()]


def one_input(data: bytes) -> None:
    read = [claims for claims in (_read(read_receipt_claims, data), _read(read_checkpoint_claims, data)) if claims]
    check(len(read) <= 1, "one profile")
    check(all(claims.to_payload() == data for claims in read), "one encoding only")


def _read(reader: Callable[[bytes], Claims], data: bytes) -> Claims | None:
    try:
        return reader(data)
    except ProofRejected as refused:
        check(refused.code.layer is Layer.FORM, "a code of the form")
        return None
