"""Making receipts: what the enclave signs for each answer, and the leaf that goes into its log.

Content is committed to under salts that only the requester can derive, so that neither a receipt nor a log lets anybody
try prompts (review R21). Verification is elsewhere: ``attestation.proofs``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from attestation.receipt_claims import ReceiptClaims
from attestation.signing import signed

SALT_BYTES = 32

_LABEL = b"strongroom receipt v1\0"


@dataclass(frozen=True, slots=True)
class ReceiptSalts:
    """Three salts of 32 bytes; whoever knows one can show what it hides, and nothing of the others."""

    request: bytes = field(repr=False)
    response: bytes = field(repr=False)
    leaf: bytes = field(repr=False)

    @classmethod
    def derive(cls, secret: bytes, response_salt: bytes) -> ReceiptSalts:
        """From the secret inside the request and the salt in the response's head; the same on both sides."""
        return cls.from_bytes(HKDF(SHA256(), 3 * SALT_BYTES, salt=response_salt, info=_LABEL).derive(secret))

    @classmethod
    def from_bytes(cls, data: bytes) -> ReceiptSalts:
        """Request ‖ response ‖ leaf. Raises ValueError unless there are 96 bytes."""
        if len(data) != 3 * SALT_BYTES:
            raise ValueError(f"expected salts of {3 * SALT_BYTES} bytes, got {len(data)}")
        return cls(data[:SALT_BYTES], data[SALT_BYTES : 2 * SALT_BYTES], data[2 * SALT_BYTES :])

    def to_bytes(self) -> bytes:
        """Request ‖ response ‖ leaf, 96 bytes."""
        return self.request + self.response + self.leaf


class IssuedReceipt(NamedTuple):
    """A signed receipt, and the 32 bytes that the log takes for it."""

    receipt: bytes
    leaf: bytes


def commitment(salt: bytes, content: bytes) -> bytes:
    """SHA-256(salt ‖ content), 32 bytes."""
    return hashlib.sha256(salt + content).digest()


def leaf_data(leaf_salt: bytes, payload: bytes) -> bytes:
    """SHA-256(leaf salt ‖ SHA-256(a receipt's signed payload)): never over the signature, of which there are many."""
    return hashlib.sha256(leaf_salt + hashlib.sha256(payload).digest()).digest()


def issue_receipt(claims: ReceiptClaims, key: EllipticCurvePrivateKey, leaf_salt: bytes) -> IssuedReceipt:
    """Sign ``claims`` with the boot's receipt key; the caller appends the leaf before anything else is issued."""
    payload = claims.to_payload()
    return IssuedReceipt(signed(payload, key), leaf_data(leaf_salt, payload))
