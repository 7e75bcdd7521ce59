"""Invariant of ``Evidence.from_bytes``: ProofRejected (evidence-form), or evidence that has no other encoding."""

from __future__ import annotations

from attestation.evidence import MAX_EVIDENCE_BYTES, Evidence
from attestation.proof_errors import ProofCode, ProofRejected
from tests.attestation.issuing import enclave_a
from tests.fuzz.targets import check


def seeds() -> list[bytes]:
    sound = enclave_a().evidence
    return [sound.to_bytes(), Evidence(b"d", b"k", sound.receipt_key).to_bytes(), b"SRE\x01" + b"\xff" * 12]


def one_input(data: bytes) -> None:
    try:
        evidence = Evidence.from_bytes(data)
    except ProofRejected as refused:
        check(refused.code is ProofCode.EVIDENCE_FORM, "evidence-form")
        return
    check(evidence.to_bytes() == data, "one encoding only")
    check(len(data) <= MAX_EVIDENCE_BYTES, "no more than readers take")
