"""COSE_Sign1 as AWS Nitro makes it (RFC 9052 section 4.2), and nothing else of COSE.

The envelope has one shape, so it is compared byte by byte: an optional tag 18, an array of four, a protected header
that is exactly {alg: ES384}, an empty unprotected header, an attached payload, 96 bytes of signature.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from attestation import cbor
from attestation.errors import Rejected, RejectionCode

MAX_ENVELOPE_BYTES = 32 * 1024
MAX_PAYLOAD_BYTES = 16 * 1024
SIGNATURE_BYTES = 96
ES384 = ECDSA(SHA384())
ES384_PROTECTED = bytes.fromhex("a1013822")  # {1: -35}, RFC 9053 section 2.1

_TAG_18 = b"\xd2"
_ARRAY_OF_FOUR = b"\x84"
_EMPTY_MAP = b"\xa0"
_P384_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """The bytes that a COSE_Sign1 signs: Sig_structure with empty external data (RFC 9052 section 4.4)."""
    return cbor2.dumps(["Signature1", protected, b"", payload])


@dataclass(frozen=True, slots=True)
class COSESign1:
    """One envelope; ``protected`` and ``payload`` are the bytes as received, ``signature`` is raw r‖s."""

    protected: bytes
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes) -> COSESign1:
        """Read an envelope of 1 to 32,768 bytes.

        Raises Rejected (input-size, cose-structure, protected-header, cose-algorithm, unprotected-header,
        cose-payload, signature-encoding, cose-trailing-bytes).
        """
        if not 1 <= len(data) <= MAX_ENVELOPE_BYTES:
            raise Rejected(RejectionCode.INPUT_SIZE, f"1 to {MAX_ENVELOPE_BYTES} bytes", f"{len(data)}")
        data = bytes(data)  # of a buffer a copy: what was verified cannot change afterwards
        at = _after(data, _start_of_array(data), _ARRAY_OF_FOUR, RejectionCode.COSE_STRUCTURE)
        protected, at = _read_bytes(data, at, RejectionCode.PROTECTED_HEADER, MAX_PAYLOAD_BYTES)
        _check_protected(protected)
        at = _after(data, at, _EMPTY_MAP, RejectionCode.UNPROTECTED_HEADER)
        payload, at = _read_bytes(data, at, RejectionCode.COSE_PAYLOAD, MAX_PAYLOAD_BYTES)
        if not payload:
            raise Rejected(RejectionCode.COSE_PAYLOAD, "an attached payload", "no bytes")
        signature, at = _read_bytes(data, at, RejectionCode.COSE_STRUCTURE, MAX_PAYLOAD_BYTES)
        _numbers(signature)
        if at != len(data):
            raise Rejected(RejectionCode.COSE_TRAILING_BYTES, f"{at} bytes", f"{len(data)} bytes")
        return cls(protected, payload, signature)

    def verify(self, public_key: EllipticCurvePublicKey) -> None:
        """Check the ES384 signature under a P-384 key; high-S is genuine. Raises Rejected."""
        _check_protected(self.protected)
        signature = encode_dss_signature(*_numbers(self.signature))
        try:
            public_key.verify(signature, sig_structure(self.protected, self.payload), ES384)
        except InvalidSignature:
            raise Rejected(
                RejectionCode.SIGNATURE, "a signature by the leaf's key", "one that does not verify"
            ) from None


def _start_of_array(data: bytes) -> int:
    return len(_TAG_18) if data.startswith(_TAG_18) else 0


def _after(data: bytes, at: int, expected: bytes, code: RejectionCode) -> int:
    actual = data[at : at + len(expected)]
    if actual != expected:
        raise Rejected(code, f"byte 0x{expected.hex()} at {at}", f"0x{actual.hex()}" if actual else "the end")
    return at + len(expected)


def _read_bytes(data: bytes, at: int, code: RejectionCode, max_bytes: int) -> tuple[bytes, int]:
    try:
        major, length, at = cbor.read_head(data, at)
    except Rejected as rejected:
        raise Rejected(code, rejected.expected, rejected.actual) from None
    if major != cbor.BYTES:
        raise Rejected(code, "a byte string", f"major type {major}")
    if length > min(max_bytes, len(data) - at):
        raise Rejected(code, f"at most {max_bytes} bytes, all present", f"a head that promises {length}")
    return data[at : at + length], at + length


def _check_protected(protected: bytes) -> None:
    if protected == ES384_PROTECTED:
        return
    names_another = protected[:2] == ES384_PROTECTED[:2] and len(protected) <= len(ES384_PROTECTED)
    if names_another or protected == _EMPTY_MAP:
        raise Rejected(RejectionCode.COSE_ALGORITHM, "{1: -35} (ES384)", f"0x{protected.hex()}")
    raise Rejected(RejectionCode.PROTECTED_HEADER, "exactly {1: -35}", f"{len(protected)} other bytes")


def _numbers(signature: bytes) -> tuple[int, int]:
    if len(signature) != SIGNATURE_BYTES:
        raise Rejected(RejectionCode.SIGNATURE_ENCODING, f"{SIGNATURE_BYTES} bytes", f"{len(signature)}")
    half = SIGNATURE_BYTES // 2
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    if not (0 < r < _P384_ORDER and 0 < s < _P384_ORDER):
        raise Rejected(RejectionCode.SIGNATURE_ENCODING, "r and s from 1 to n-1", "a number outside")
    return r, s
