"""The receipt of an answer: it must verify, and be of this request, this answer and this enclave (R8, R14)."""

from attestation.policy import Policy
from attestation.proof_errors import ProofRejected
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import VerifiedReceipt, verify_receipt
from attestation.receipt_claims import Outcome, ReceiptClaims
from attestation.receipts import ReceiptSalts
from strongroom.client.errors import ReceiptRefused
from strongroom.client.proofs import Proof
from strongroom.client.reading import WholeAnswer
from strongroom.client.sealing import SealedRequest
from strongroom.client.terms import JudgedEvidence
from strongroom.protocol.contents import response_content
from strongroom.protocol.payloads import Failure


def prove(asked: SealedRequest, answer: WholeAnswer, made_by: JudgedEvidence, policy: Policy) -> Proof:
    """The proof that the enclave of that evidence answered `asked` with `answer`. Raises ReceiptRefused."""
    if made_by.document_digest != answer.head.document_digest:
        raise ReceiptRefused("expected evidence with the document that the answer names, got another")
    salts = ReceiptSalts.derive(asked.secret, answer.head.salt)
    request = Opening(salts.request, asked.content)
    response = Opening(salts.response, response_content(answer.events))
    try:
        verified: VerifiedReceipt = verify_receipt(
            answer.receipt, made_by.verified, evidence=made_by.evidence, request=request, response=response
        )
    except ProofRejected as rejection:
        raise ReceiptRefused(str(rejection), rejection) from None
    _check_claims(verified.claims, asked, answer)
    return Proof(answer.receipt, verified, made_by.evidence, request, response, salts.leaf, policy)


def _check_claims(claims: ReceiptClaims, asked: SealedRequest, answer: WholeAnswer) -> None:
    head = asked.head
    outcome = Outcome.FAILED if isinstance(answer.end, Failure) else Outcome.COMPLETE
    stated = {
        "the request's id": (claims.request_id, head.request_id),
        "the model asked for": (claims.model, head.model),
        f"the outcome {outcome}": (claims.outcome, outcome),
        "as many chunks as came": (claims.sent_chunks, answer.chunks),
    }
    for what, (said, seen) in stated.items():
        if said != seen:
            raise ReceiptRefused(f"expected {what}, got another")
