"""Tickets: what the sealer of a KMS envelope keeps back, and opens its answer with.

    ticket = "SRT" 0x01 ‖ prefixed(secret (32), not_after_ms (8), canonical CBOR of the task, sealed request)

A ticket is as secret as the request and its answer.
"""

from dataclasses import dataclass, field
from typing import Any, cast

from attestation.modes import Archived
from attestation.proof_errors import ProofRejected
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.envelopes import SignedPayload
from strongroom.client.answers import Answer
from strongroom.client.collecting import answer_of
from strongroom.client.errors import InvalidArgument, ReceiptRefused, RequestRefused, SealBroken
from strongroom.client.kept_answers import KeptAnswer
from strongroom.client.reading import AnswerReader, WholeAnswer
from strongroom.client.receipts import prove
from strongroom.client.sealing import SealedRequest, opening
from strongroom.client.terms import Terms
from strongroom.protocol import canonical
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES, MEDIA_SEALED_RESPONSE, SECRET_BYTES
from strongroom.protocol.envelopes import read_envelope
from strongroom.protocol.errors import Malformed, ProtocolError
from strongroom.protocol.framing import Reader, prefixed
from strongroom.protocol.payloads import Failure, Task

MAX_TICKET_BYTES = 4 + 4 * 4 + SECRET_BYTES + 8 + 2 * MAX_SEALED_REQUEST_BYTES

_MAGIC = b"SRT\x01"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One sealed request and the secret that opens its answer."""

    asked: SealedRequest = field(repr=False)
    not_after_ms: int

    @property
    def sealed(self) -> bytes:
        """What is submitted: anybody may hold it."""
        return self.asked.message

    @property
    def task(self) -> Task:
        """What was asked."""
        return _task(self.asked.content)

    def to_bytes(self) -> bytes:
        """The one encoding."""
        asked, not_after = self.asked, self.not_after_ms.to_bytes(8, "big")
        return _MAGIC + prefixed(asked.secret, not_after, asked.content, asked.message)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Ticket":
        """Read a ticket. Raises InvalidArgument."""
        try:
            return cls._read(Reader(data, "ticket"))
        except ProtocolError as error:
            raise InvalidArgument(str(error)) from None

    @classmethod
    def _read(cls, reader: Reader) -> "Ticket":
        reader.magic(_MAGIC)
        secret, not_after, content, message = (reader.take(reader.integer(4)) for _ in range(4))
        reader.end()
        if len(secret) != SECRET_BYTES or len(not_after) != 8:
            raise Malformed(f"ticket: expected a secret of {SECRET_BYTES} bytes and a time of 8")
        read_envelope(message)
        _task(content)
        return cls(SealedRequest(message, secret, content, MEDIA_SEALED_RESPONSE), int.from_bytes(not_after, "big"))

    def open(self, answer: bytes, terms: Terms) -> Answer:
        """The answer in the file that `submit` wrote: after its evidence and its receipt verified, and not before.

        Its document is judged at the instant of the receipt, so that answers may be opened years later. Raises
        AttestationRefused, ReceiptRefused, SealBroken, AnswerTruncated; RequestRefused for the enclave's own refusal.
        """
        with opening():
            kept = KeptAnswer.from_bytes(answer)
        if kept.media_type != self.asked.media_type:
            raise SealBroken(f"expected an answer of {self.asked.media_type}, got another")
        reader = AnswerReader(self.asked)
        reader.feed(kept.response)
        whole = reader.whole()
        made_by = terms.judge(kept.evidence, Archived(self._answered_at_ms(whole)))
        proof = prove(self.asked, whole, made_by, terms.policy)
        if isinstance(whole.end, Failure):
            raise RequestRefused(whole.end, proof)
        return answer_of(self.task, whole.events, proof)

    def _answered_at_ms(self, answer: WholeAnswer) -> int:
        """The receipt's instant: believed only if the receipt verifies under a document that was valid then."""
        try:
            at_ms = read_receipt_claims(SignedPayload.from_bytes(answer.receipt).payload).time_ms
        except ProofRejected as rejection:
            raise ReceiptRefused(str(rejection), rejection) from None
        if at_ms > self.not_after_ms and not isinstance(answer.end, Failure):
            raise ReceiptRefused("expected an answer from before the request's not-after, got a later one")
        return at_ms


def _task(content: bytes) -> Task:
    return cast(Task, canonical.decode(content, cast(Any, Task), "task"))  # a union is no type to mypy
