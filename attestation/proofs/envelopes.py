"""COSE_Sign1 under ES256 as ``attestation.signing`` makes it, and nothing else of COSE.

The envelope has one shape, so it is compared byte by byte: tag 18, an array of four, the protected header exactly
{alg: ES256}, an empty unprotected header, an attached payload, 64 bytes of signature with s in the lower half. So a
third party can change no byte of a receipt that verifies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from attestation import cbor
from attestation.cose import sig_structure
from attestation.errors import Rejected
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.signing import ENVELOPE_HEAD, ES256, ES256_PROTECTED, ES256_SIGNATURE_BYTES, P256_ORDER

MAX_SIGNED_BYTES = 4096

_HEAD_PARTS = (
    (2, ProofCode.STRUCTURE, "tag 18 and an array of four"),
    (6, ProofCode.PROTECTED_HEADER, "the protected header {1: -7} (ES256)"),
    (7, ProofCode.UNPROTECTED_HEADER, "an empty unprotected header"),
)


@dataclass(frozen=True, slots=True)
class SignedPayload:
    """One envelope: the payload as received, and the signature as r ‖ s."""

    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedPayload:
        """Read an envelope of 1 to 4,096 bytes.

        Raises ProofRejected (receipt-size, receipt-structure, receipt-protected-header, receipt-unprotected-header,
        receipt-payload, receipt-signature-encoding, receipt-trailing-bytes).
        """
        if not 1 <= len(data) <= MAX_SIGNED_BYTES:
            raise ProofRejected(ProofCode.SIZE, f"1 to {MAX_SIGNED_BYTES} bytes", f"{len(data)}")
        data = bytes(data)  # of a buffer a copy: what was verified cannot change afterwards
        for end, code, expected in _HEAD_PARTS:
            if data[:end] != ENVELOPE_HEAD[:end]:
                raise ProofRejected(code, expected, "other bytes")
        payload, at = _read_bytes(data, len(ENVELOPE_HEAD), ProofCode.PAYLOAD)
        signature, at = _read_bytes(data, at, ProofCode.SIGNATURE_ENCODING)
        _numbers(signature)
        if at != len(data):
            raise ProofRejected(ProofCode.TRAILING_BYTES, f"{at} bytes", f"{len(data)}")
        return cls(payload, signature)

    def verify(self, point: bytes, code: ProofCode) -> None:
        """Check the signature under the key of an uncompressed P-256 point. Raises ProofRejected with ``code``."""
        try:
            signature = encode_dss_signature(*_numbers(self.signature))
            _public_key(point).verify(signature, sig_structure(ES256_PROTECTED, self.payload), ES256)
        except ValueError:
            raise ProofRejected(code, "a receipt key on P-256", "a point that is not on it") from None
        except InvalidSignature:
            raise ProofRejected(code, "a signature by the receipt key", "one that does not verify") from None


@lru_cache(maxsize=64)
def _public_key(point: bytes) -> EllipticCurvePublicKey:
    """Kept, since one boot signs many receipts with one key, and to load it takes a fifth of the time."""
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)


def _read_bytes(data: bytes, at: int, code: ProofCode) -> tuple[bytes, int]:
    try:
        major, length, at = cbor.read_head(data, at)
    except Rejected as rejected:
        raise ProofRejected(code, rejected.expected, rejected.actual) from None
    if major != cbor.BYTES or not 1 <= length <= len(data) - at:
        raise ProofRejected(code, "a byte string, not empty, all of it present", f"major type {major}, {length}")
    return data[at : at + length], at + length


def _numbers(signature: bytes) -> tuple[int, int]:
    if len(signature) != ES256_SIGNATURE_BYTES:
        raise ProofRejected(ProofCode.SIGNATURE_ENCODING, f"{ES256_SIGNATURE_BYTES} bytes", f"{len(signature)}")
    half = ES256_SIGNATURE_BYTES // 2
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    if not (0 < r < P256_ORDER and 0 < s <= P256_ORDER // 2):
        raise ProofRejected(ProofCode.SIGNATURE_ENCODING, "r from 1 to n-1, s from 1 to n/2", "a number outside")
    return r, s
