"""Attacks by whoever holds a data key of requests, by IAM or by theft: it can write answers, but no receipts."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec

from attestation.documents import AttestationDocument
from attestation.evidence import Evidence, boot_id
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.envelopes import SignedPayload
from attestation.receipt_claims import ReceiptClaims
from attestation.receipts import ReceiptSalts, commitment, issue_receipt
from attestation.signing import receipt_key_bytes
from strongroom.client.reading import AnswerReader, WholeAnswer
from strongroom.client.tickets import Ticket
from strongroom.protocol.contents import response_content
from strongroom.protocol.events import encode_events
from strongroom.protocol.payloads import Event, Outputs, Receipt
from strongroom.protocol.responses import ResponseSealer
from strongroom.protocol.tensors import Tensor
from strongroom.selftest.attacks.resting import answer_of, file_of, opens, seal
from strongroom.selftest.trial import Attack, Trial

_FORGED = [Outputs({"y": Tensor("float32", [1], bytes(4))})]


async def write_answer(trial: Trial) -> bool:
    """An answer of the parent's own under the request's very secret: without a receipt, with the right answer's, or
    with one that says what it should, under a key of the parent's.
    """
    ticket, evidence = seal(trial, trial.tensor()), trial.world.evidence["home"]
    reader = AnswerReader(ticket.asked)
    reader.feed((await answer_of(trial.enclaves.home, ticket)).body)
    told = forged(trial.rng, ticket, reader.whole(), evidence)
    return opens(trial, ticket, file_of(told, evidence.to_bytes()), {"receipt-refused"})


def forged(rng: Random, ticket: Ticket, right: WholeAnswer, evidence: Evidence) -> bytes:
    """The forgery, from the right answer and its evidence."""
    asked = ticket.asked
    sealer = ResponseSealer(asked.secret, asked.message, asked.media_type, right.head.document_digest)
    salts = ReceiptSalts.derive(asked.secret, sealer.salt)
    claims = read_receipt_claims(SignedPayload.from_bytes(right.receipt).payload)
    fitting = replace(
        claims,
        request_commitment=commitment(salts.request, asked.content),
        response_commitment=commitment(salts.response, response_content(_FORGED)),
    )
    receipts: tuple[list[bytes], ...] = (
        [],
        [right.receipt],
        [_signed(fitting, salts)],
        [_signed(fitting, salts, evidence)],
    )
    events: Sequence[Event] = [*_FORGED, *map(Receipt, rng.choice(receipts))]
    return sealer.head + sealer.seal(encode_events(events), last=True)


def _signed(claims: ReceiptClaims, salts: ReceiptSalts, evidence: Evidence | None = None) -> bytes:
    """By a key of the parent's, which the claims name in place of the enclave's if there is evidence to name it in."""
    key = ec.generate_private_key(ec.SECP256R1())
    if evidence is not None:
        point, module = receipt_key_bytes(key), AttestationDocument.from_bytes(evidence.document).module_id
        claims = replace(claims, receipt_key=point, boot_id=boot_id(module, point))
    return issue_receipt(claims, key, salts.leaf).receipt


ATTACKS = (Attack("answer-of-a-key-holder", "an answer without its receipt, or with another's", write_answer),)
