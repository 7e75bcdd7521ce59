"""Answers in files: the sealed response as it came, and the evidence of whoever made it, which nobody judged yet.

answer = "SRA" 0x01 ‖ prefixed(media type, response, evidence)
"""

from dataclasses import dataclass, field
from typing import Self

from attestation.documents import AttestationDocument
from attestation.errors import Rejected
from attestation.evidence import MAX_EVIDENCE_BYTES, Evidence
from attestation.proof_errors import ProofRejected
from strongroom.protocol.constants import MAX_CHUNK_BYTES, MEDIA_SEALED_RESPONSE, TAG_BYTES
from strongroom.protocol.errors import Malformed, Truncated
from strongroom.protocol.framing import Reader, prefixed
from strongroom.protocol.messages import SealedRequestHead, SealedResponseHead

_CHUNK_HEAD_BYTES = 5
MAX_RESPONSE_BYTES = SealedResponseHead.SIZE_BYTES + _CHUNK_HEAD_BYTES + MAX_CHUNK_BYTES
"""A whole answer: its head and one chunk."""
MAX_ANSWER_BYTES = 4 + 3 * 4 + len(MEDIA_SEALED_RESPONSE) + MAX_RESPONSE_BYTES + MAX_EVIDENCE_BYTES

_MAGIC = b"SRA\x01"
_MAX_BYTES = (len(MEDIA_SEALED_RESPONSE), MAX_RESPONSE_BYTES, MAX_EVIDENCE_BYTES)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What `submit` writes: no key is needed to make it, a ticket to open it."""

    media_type: str
    response: bytes = field(repr=False)
    evidence: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The one encoding."""
        return _MAGIC + prefixed(self.media_type.encode(), self.response, self.evidence)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an answer; only lengths are judged. Raises Malformed."""
        reader = Reader(data, "answer")
        reader.magic(_MAGIC)
        media_type, response, evidence = (_bounded(reader, most) for most in _MAX_BYTES)
        reader.end()
        if media_type != MEDIA_SEALED_RESPONSE.encode():
            raise Malformed(f"answer: expected the media type {MEDIA_SEALED_RESPONSE}, got another")
        return cls(MEDIA_SEALED_RESPONSE, response, evidence)

    @property
    def request_id(self) -> bytes:
        """Which request it says it answers: not authentic before a ticket opens it. Raises Malformed."""
        return _head(self.response).request_id


def answering_document(response: bytes, asked: SealedRequestHead) -> bytes:
    """The digest of the document that a whole response to `asked` names.

    Raises Malformed for a response to another, or in another form than one last chunk; Truncated for a part of it.
    """
    head = _head(response)
    if (head.request_id, head.suite) != (asked.request_id, asked.suite):
        raise Malformed("sealed response: expected the answer to this request, got another's")
    _check_chunk(response[SealedResponseHead.SIZE_BYTES :])
    return head.document_digest


def check_evidence_form(evidence: bytes, document_digest: bytes) -> None:
    """It is evidence with that document: all that whoever has no policy can say. Raises Malformed."""
    try:
        document = AttestationDocument.from_bytes(Evidence.from_bytes(evidence).document)
    except (Rejected, ProofRejected) as rejection:
        raise Malformed(str(rejection)) from None
    if document.payload_digest != document_digest:
        raise Malformed("evidence: expected the document that the answer names, got another")


def _check_chunk(chunk: bytes) -> None:
    flag, size, there = chunk[:1], int.from_bytes(chunk[1:_CHUNK_HEAD_BYTES], "big"), len(chunk) - _CHUNK_HEAD_BYTES
    if there < 0 or there < size <= MAX_CHUNK_BYTES:
        raise Truncated("sealed response: expected a whole chunk, got a part of it")
    if flag != b"\1" or there != size or size <= TAG_BYTES:
        raise Malformed("sealed response: expected one chunk, the last, got others")


def _head(response: bytes) -> SealedResponseHead:
    return SealedResponseHead.from_bytes(response[: SealedResponseHead.SIZE_BYTES])


def _bounded(reader: Reader, most: int) -> bytes:
    if (length := reader.integer(4)) > most:
        raise Malformed(f"answer: expected a part of at most {most} bytes, got {length}")
    return reader.take(length)
