"""Evidence: one answer that joins a client document with the bytes that it binds, and the boot that it speaks for.

``evidence`` = "SRE" 0x01 ‖ { length (4, big-endian) ‖ field } for the attestation document, the key list and the
receipt key, a P-256 point of 65 bytes. Parsing believes nothing: verify the document, then ``check_binding``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from attestation.bindings import RECEIPT_KEY_BYTES, check_statement_binding
from attestation.cose import MAX_ENVELOPE_BYTES
from attestation.documents import AttestationDocument
from attestation.proof_errors import ProofCode, ProofRejected

MAX_KEY_LIST_BYTES = 16 * 1024
MAX_EVIDENCE_BYTES = 4 + 3 * 4 + MAX_ENVELOPE_BYTES + MAX_KEY_LIST_BYTES + RECEIPT_KEY_BYTES
"""For whoever reads evidence from a file or a peer."""

_MAGIC = b"SRE\x01"
_BOOT_LABEL = b"strongroom boot v1\0"
_FIELDS = (
    ("an attestation document", 1, MAX_ENVELOPE_BYTES),
    ("a key list", 1, MAX_KEY_LIST_BYTES),
    ("a receipt key", RECEIPT_KEY_BYTES, RECEIPT_KEY_BYTES),
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What GET /v1/evidence answers: the document and exactly the bytes that its ``user_data`` binds."""

    document: bytes = field(repr=False)
    key_list: bytes = field(repr=False)
    receipt_key: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The one encoding."""
        return _MAGIC + prefixed(self.document, self.key_list, self.receipt_key)

    @classmethod
    def from_bytes(cls, data: bytes) -> Evidence:
        """Read evidence; nothing but lengths is judged. Raises ProofRejected (evidence-form)."""
        if data[: len(_MAGIC)] != _MAGIC:
            raise _malformed(f"a beginning of {_MAGIC.hex()}", f"{data[: len(_MAGIC)].hex() or 'no bytes'}")
        at, fields = len(_MAGIC), []
        for what, least, most in _FIELDS:
            length, start = int.from_bytes(data[at : at + 4], "big"), at + 4
            if not least <= length <= most or len(data) < start + length:
                raise _malformed(f"{what} of {least} to {most} bytes, all present", f"{length} announced")
            at = start + length
            fields.append(bytes(data[start:at]))
        if at != len(data):
            raise _malformed(f"{at} bytes", f"{len(data)}")
        return cls(*fields)

    @property
    def keys_sha384(self) -> bytes:
        """SHA-384 of the key list's bytes: what receipts name."""
        return hashlib.sha384(self.key_list).digest()

    def check_binding(self, document: AttestationDocument) -> None:
        """``document`` binds this key list and this receipt key. Raises Rejected, as check_statement_binding does."""
        check_statement_binding(document, self.keys_sha384, self.receipt_key)


def prefixed(*fields: bytes) -> bytes:
    """Each field behind its length in 4 bytes, so that no two lists give the same bytes."""
    return b"".join(len(each).to_bytes(4, "big") + each for each in fields)


def boot_id(module_id: str, receipt_key: bytes) -> bytes:
    """The name of one boot of one enclave (32 bytes): the origin of its audit log."""
    return hashlib.sha256(_BOOT_LABEL + prefixed(module_id.encode(), receipt_key)).digest()


def _malformed(expected: str, actual: str) -> ProofRejected:
    return ProofRejected(ProofCode.EVIDENCE_FORM, expected, actual)
