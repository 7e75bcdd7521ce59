"""What a verified receipt says, in words for people: what follows from it, and what does not (docs/receipts.md).

Both come on top of what its document proves and does not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from attestation.proof_errors import Layer
from attestation.receipt_claims import NO_MANIFEST, Outcome, ReceiptClaims
from attestation.verifier import VerifiedDocument

_SHOWN = {
    Layer.REQUEST: ("the request that was shown is the one that was answered", "which request was answered"),
    Layer.RESPONSE: ("the response that was shown is the one that was made", "which response was made"),
    Layer.LOG: ("it stands in its boot's log, and the log before it is as it says", "that it stands in any log"),
}
_LIMITS = (
    "who asked: a receipt does not name the asker",
    "that the answer was delivered",
    "how often the request ran: other boots have logs of their own, and can be hidden",
    "that the answer is true, or the model any good",
    "what IAM and KMS grants allowed at the time, nor that keys were destroyed afterwards",
)


def proves(claims: ReceiptClaims, document: VerifiedDocument, skipped: Collection[Layer]) -> tuple[str, ...]:
    """Statements that hold for a receipt that passed every layer but ``skipped``."""
    enclave = "a SIMULATED enclave" if document.simulated else "the attested enclave"
    said = f"{enclave} answered{_model(claims)}; outcome: {claims.outcome}"
    return (said, *(statement for layer, (statement, _) in _SHOWN.items() if layer not in skipped))


def does_not_prove(claims: ReceiptClaims, document: VerifiedDocument, skipped: Collection[Layer]) -> tuple[str, ...]:
    """The limits that a reader of the verdict must know."""
    return tuple(_limits(claims, document, skipped))


def _model(claims: ReceiptClaims) -> str:
    if claims.manifest_sha384 == NO_MANIFEST:
        return f" without a model: its catalogue has no {claims.model}"
    return f" with model {claims.model} {claims.model_version}"


def _limits(claims: ReceiptClaims, document: VerifiedDocument, skipped: Collection[Layer]) -> Iterator[str]:
    if document.simulated:
        yield "anything about hardware: the trust anchor is simulated"
    yield from (limit for layer, (_, limit) in _SHOWN.items() if layer in skipped)
    if claims.outcome is not Outcome.COMPLETE:
        yield f"that the answer is whole: its outcome is {claims.outcome}"
    yield from _LIMITS
