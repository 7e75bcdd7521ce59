"""The auditor's answer to vectors of receipts and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from attestation.anchors import SimulatedTrustAnchor
from attestation.evidence import Evidence
from attestation.modes import Archived
from attestation.policy import UnsafeAnyMeasurement
from attestation.proofs.checkpoints import verify_checkpoint
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import verify_receipt
from attestation.verifier import VerifiedDocument, verify
from tests.attestation.vectors import suite


@cache
def verified_document(document: bytes) -> VerifiedDocument:
    """A document of the vectors, archived, under their root and no policy."""
    anchor = SimulatedTrustAnchor.from_pem((suite.FOLDER / "root.pem").read_bytes())
    return verify(document, policy=UnsafeAnyMeasurement(), mode=Archived(), anchor=anchor, allow_simulated=True)


def receipt(given: Mapping[str, Any], vector: Mapping[str, Any]) -> dict[str, Any]:
    """Every layer but the log."""
    evidence = Evidence.from_bytes(bytes.fromhex(given["evidence"]))
    verify_receipt(
        bytes.fromhex(vector["message"]),
        verified_document(evidence.document),
        evidence=evidence,
        request=_opening(given, "request"),
        response=_opening(given, "response"),
    )
    return {}


def _opening(given: Mapping[str, Any], part: str) -> Opening:
    return Opening(bytes.fromhex(given["salts"][part]), bytes.fromhex(given[part]))


def checkpoint(given: Mapping[str, Any], vector: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint of the boot that the file gives."""
    receipt_key, boot_id = bytes.fromhex(given["receipt_key"]), bytes.fromhex(given["boot_id"])
    verify_checkpoint(bytes.fromhex(vector["message"]), receipt_key=receipt_key, boot_id=boot_id)
    return {}
