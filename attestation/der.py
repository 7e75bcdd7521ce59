"""Where the parts of a certificate lie in its DER (X.690 section 8.1, RFC 5280 section 4.1).

Names, keys and what is signed are compared and verified as the bytes that came, never as a library's re-encoding of
them. Whether the bytes are strict DER at all is the X.509 library's judgement, made before these slices are used.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from attestation.errors import Rejected, RejectionCode

_SEQUENCE = 0x30
_VERSION = 0xA0
_HEADER_BYTES = {0x81: 3, 0x82: 4}  # tag, first length byte, length; a certificate of 1,024 bytes needs no more


@dataclass(frozen=True, slots=True)
class CertificateParts:
    """Slices of one certificate, each a whole element with its header."""

    to_be_signed: bytes = field(repr=False)
    inner_algorithm: bytes
    issuer: bytes
    subject: bytes
    public_key: bytes = field(repr=False)
    outer_algorithm: bytes

    @classmethod
    def from_bytes(cls, der: bytes) -> CertificateParts:
        """Step over the elements of one certificate. Raises Rejected (certificate-encoding)."""
        start, end = _element(der, 0, _SEQUENCE)
        if end != len(der):
            raise _malformed("no byte after the certificate", f"{len(der) - end}")
        at, signed_end = _element(der, start, _SEQUENCE)
        if der[at : at + 1] == bytes([_VERSION]):
            at = _element(der, at)[1]
        parts = []
        for _ in ("serial number", "algorithm", "issuer", "validity", "subject", "public key"):
            _, after = _element(der, at)
            parts.append(der[at:after])
            at = after
        _, algorithm, issuer, _, subject, public_key = parts
        _, outer_end = _element(der, signed_end, _SEQUENCE)
        return cls(der[start:signed_end], algorithm, issuer, subject, public_key, der[signed_end:outer_end])


def _element(der: bytes, at: int, tag: int | None = None) -> tuple[int, int]:
    """Where the content of the element at ``at`` begins and ends."""
    if len(der) < at + 2 or (tag is not None and der[at] != tag):
        raise _malformed("another element", f"none at {at}")
    first = der[at + 1]
    content = at + (2 if first < 0x80 else _HEADER_BYTES.get(first, 0))
    length = first if first < 0x80 else int.from_bytes(der[at + 2 : content], "big")
    if content == at or content + length > len(der):
        raise _malformed("a definite length within the certificate", f"another at {at}")
    return content, content + length


def _malformed(expected: str, actual: str) -> Rejected:
    return Rejected(RejectionCode.CERTIFICATE_ENCODING, expected, actual)
