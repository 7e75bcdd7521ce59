"""A verdict on a receipt with its reasons: which layer held, which did not, which was not asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict, Unpack

from attestation.errors import Rejected
from attestation.evidence import Evidence
from attestation.proof_errors import Layer, ProofCode, ProofRejected
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.envelopes import SignedPayload
from attestation.proofs.openings import LogProof, Opening
from attestation.proofs.verifier import VerifiedReceipt, verify_receipt
from attestation.receipt_claims import ReceiptClaims
from attestation.report import Check, Report, checks_of

_NOT_SHOWN = {
    Layer.REQUEST: "no request was shown",
    Layer.RESPONSE: "no response was shown",
    Layer.LOG: "no proof of its place in the log was shown",
}


class Shown(TypedDict, total=False):
    """What is shown beside a receipt: the keywords of ``attestation.proofs.verifier.verify_receipt``."""

    evidence: Evidence | None
    request: Opening | None
    response: Opening | None
    log: LogProof | None


@dataclass(frozen=True, slots=True)
class ReceiptReport:
    """The outcome of one judgement, the document's report included.

    ``claims`` is what the receipt says, as far as it parses: believed only beside ``verified``. ``code``, ``expected``
    and ``actual`` are None beside it.
    """

    document: Report | None
    claims: ReceiptClaims | None = field(repr=False)
    verified: VerifiedReceipt | None
    rejection: ProofRejected | Rejected | None
    checks: tuple[Check, ...]

    def to_builtins(self) -> dict[str, object]:
        """The report as JSON's types: bytes in hex, instants in milliseconds."""
        rejection, verified = self.rejection, self.verified
        return {
            "verdict": "accepted" if verified is not None else "rejected",
            "code": None if rejection is None else str(rejection.code),
            "simulated": None if self.document is None else self.document.anchor.simulated,
            "layers": [
                {"name": check.name, "status": check.status, "expected": check.expected, "actual": check.actual}
                for check in self.checks
            ],
            "receipt": None if self.claims is None else claim_fields(self.claims),
            "proves": [] if verified is None else list(verified.proves),
            "does_not_prove": [] if verified is None else list(verified.does_not_prove),
            "document": None if self.document is None else self.document.to_builtins(),
        }


def judge_receipt(
    receipt: bytes,
    document: Report | None,
    **shown: Unpack[Shown],
) -> ReceiptReport:
    """Verify ``receipt`` against a judged document and report. ``document`` is None when the receipt does not parse."""
    verified: VerifiedReceipt | None = None
    rejection: ProofRejected | Rejected | None = None
    try:
        verified = _verified(receipt, document, shown)
    except (ProofRejected, Rejected) as refusal:
        rejection = refusal
    skipped = {layer: why for layer, why in _NOT_SHOWN.items() if shown.get(layer) is None}
    checks = tuple(checks_of(Layer, skipped, _failed(rejection), rejection))
    return ReceiptReport(document, parsed_claims(receipt), verified, rejection, checks)


def claim_fields(claims: ReceiptClaims) -> dict[str, object]:
    """Claims as JSON's types, by the names of docs/receipts.md; bytes in hex."""
    fields = {name: getattr(claims, name) for name in ReceiptClaims.__dataclass_fields__}
    policies = {entry: digest.hex() for entry, digest in claims.key_policies.items()}
    written = {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
    others = {"key_policies": policies, "outcome": str(claims.outcome), "verdicts": [list(v) for v in claims.verdicts]}
    return {**written, **others, "issued_at_s": claims.issued_at_s}


def _verified(receipt: bytes, document: Report | None, shown: Shown) -> VerifiedReceipt:
    read_receipt_claims(SignedPayload.from_bytes(receipt).payload)
    if document is None:
        raise ProofRejected(ProofCode.OTHER_DOCUMENT, "the attestation document that the receipt names", "none")
    if document.verified is None:
        assert document.rejection is not None  # noqa: S101 - a report has exactly one of the two
        raise document.rejection
    return verify_receipt(receipt, document.verified, **shown)


def parsed_claims(receipt: bytes) -> ReceiptClaims | None:
    """What a receipt says, or None of one that does not parse; believes nothing."""
    try:
        return read_receipt_claims(SignedPayload.from_bytes(receipt).payload)
    except ProofRejected:
        return None


def _failed(rejection: ProofRejected | Rejected | None) -> Layer | None:
    """A document's own codes all belong to the document's layer."""
    if rejection is None:
        return None
    return rejection.code.layer if isinstance(rejection, ProofRejected) else Layer.DOCUMENT
