"""The signature section: one COSE_Sign1 over PCR0, and the certificate that it was made under.

    array(1) [ map(2) { "signing_certificate": array of bytes, "signature": array of bytes } ]

The certificate is a PEM file; the signature is an untagged COSE_Sign1 over the map {"register_index": 0,
"register_value": array of 48 bytes}. Arrays, not byte strings: serde wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, SECP384R1, SECP521R1, EllipticCurve
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from attestation.cose import sig_structure
from attestation.eif.certificate import SigningCertificate
from attestation.eif.cursor import Cursor
from attestation.eif.errors import EIFError

_CERTIFICATE_NEXT = bytes.fromhex("81a273") + b"signing_certificate"
_SIGNATURE_NEXT = b"\x69signature"
_ARRAY_OF_FOUR, _EMPTY_MAP = b"\x84", b"\xa0"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One way to sign: its name, its curve, which is nitro-cli's choice, and the bytes of r and of s."""

    name: str
    curve: type[EllipticCurve]
    hash: HashAlgorithm
    number_bytes: int


ALGORITHMS = {
    bytes.fromhex("a10126"): Algorithm("ES256", SECP256R1, SHA256(), 32),
    bytes.fromhex("a1013822"): Algorithm("ES384", SECP384R1, SHA384(), 48),
    bytes.fromhex("a1013823"): Algorithm("ES512", SECP521R1, SHA512(), 66),
}
"""By the protected header, {1: algorithm} (RFC 9053 section 2.1)."""


@dataclass(frozen=True, slots=True)
class EIFSignature:
    """A well-formed signature section; whether it holds is another question."""

    certificate: SigningCertificate
    protected: bytes
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, offset: int) -> EIFSignature:
        """Read a section's data that lie at ``offset`` in the file.

        Raises EIFError for anything but the one shape above, as nitro-cli fails on what it cannot read.
        """
        cursor = Cursor(data, offset)
        cursor.literal(_CERTIFICATE_NEXT, "one map that begins with signing_certificate")
        certificate = cursor.byte_array()
        cursor.literal(_SIGNATURE_NEXT, "signature")
        envelope = cursor.byte_array()
        cursor.end()
        return cls(SigningCertificate.from_pem(certificate, offset), *_read_envelope(envelope, offset))

    def holds(self, pcr0: bytes) -> bool:
        """Whether the certificate's key signed exactly this PCR0 (48 bytes): SignatureCheck.

        A fact to report, like the CRC; what asks for a sound image must refuse on False. nitro-cli says false for
        another PCR0 and fails where the signature itself does not verify; here both are False.
        """
        algorithm, half = ALGORITHMS[self.protected], len(self.signature) // 2
        if self.payload != pcr0_payload(pcr0) or not isinstance(self.certificate.key.curve, algorithm.curve):
            return False
        numbers = (int.from_bytes(part, "big") for part in (self.signature[:half], self.signature[half:]))
        try:
            message = sig_structure(self.protected, self.payload)
            self.certificate.key.verify(encode_dss_signature(*numbers), message, ECDSA(algorithm.hash))
        except InvalidSignature:
            return False
        return True


def pcr0_payload(pcr0: bytes) -> bytes:
    """The bytes that nitro-cli signs for this PCR0 (48 bytes)."""
    return cbor2.dumps({"register_index": 0, "register_value": list(pcr0)})


def section_data(certificate_pem: bytes, protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """What ``EIFSignature.from_bytes`` reads back: the section's data, byte for byte as nitro-cli writes them."""
    envelope = cbor2.dumps([protected, {}, payload, signature])
    return cbor2.dumps([{"signing_certificate": list(certificate_pem), "signature": list(envelope)}])


def _read_envelope(data: bytes, offset: int) -> tuple[bytes, bytes, bytes]:
    """Protected header, payload and signature. Offsets inside of the array of bytes would name no place in the file."""
    cursor = Cursor(data, offset)
    cursor.literal(_ARRAY_OF_FOUR, "an untagged COSE_Sign1")
    protected = cursor.byte_string()
    cursor.literal(_EMPTY_MAP, "an empty unprotected header")
    payload, signature = cursor.byte_string(), cursor.byte_string()
    cursor.end()
    algorithm = ALGORITHMS.get(protected)
    if algorithm is None:
        raise EIFError("a protected header that is {1: ES256, ES384 or ES512}", f"{len(protected)} other bytes", offset)
    if len(signature) != 2 * algorithm.number_bytes:
        raise EIFError(f"{2 * algorithm.number_bytes} bytes of {algorithm.name}", f"{len(signature)}", offset)
    return protected, payload, signature
