"""One certificate of a chain: its encoding, its algorithms and its extensions (rules 22 to 25)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey

from attestation import der
from attestation.cose import ES384
from attestation.der import CertificateParts
from attestation.errors import Rejected, RejectionCode
from attestation.extensions import Extensions

# AlgorithmIdentifier {1.2.840.10045.4.3.3}, no parameters: RFC 5758 section 3.2.
_ECDSA_WITH_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")
# SubjectPublicKeyInfo up to the point: ecPublicKey on the named curve secp384r1, uncompressed (RFC 5480 section 2).
_SECP384R1_POINT = bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004")
_EMPTY_SET = bytes.fromhex("3100")
_MAX_SERIAL_BYTES = 20
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Certificate:
    """A v3 certificate in strict DER with a secp384r1 key; what it may sign is for the checks below to say.

    Both ends of the window count.
    """

    parts: CertificateParts
    signature: bytes = field(repr=False)
    key: EllipticCurvePublicKey = field(repr=False)
    extensions: Extensions
    valid_from_ms: int
    valid_until_ms: int

    @classmethod
    def from_bytes(cls, data: bytes) -> Certificate:
        """Read one certificate.

        Raises Rejected (certificate-encoding, certificate-algorithm, certificate-key, extension).
        """
        parts = CertificateParts.from_bytes(data)
        _check_algorithms(parts)
        _check_serial_number(parts)
        _check_names(parts)
        try:
            read = x509.load_der_x509_certificate(data)
            signature, starts, ends = read.signature, read.not_valid_before_utc, read.not_valid_after_utc
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
            raise der.malformed("one X.509 certificate in DER", "something else") from None
        if read.version is not x509.Version.v3:
            raise der.malformed("version 3", read.version.name)
        _check_times(parts, starts, ends)
        return cls(
            parts=parts,
            signature=signature,
            key=_public_key(read, parts),
            extensions=Extensions.from_bytes(parts.extensions),
            valid_from_ms=(starts - _EPOCH) // _MILLISECOND,
            valid_until_ms=(ends - _EPOCH) // _MILLISECOND,
        )

    @cached_property
    def common_names(self) -> tuple[str, ...]:
        """The subject's; only two certificates of a chain are asked. Raises Rejected (certificate-encoding)."""
        return der.common_names(self.parts.subject)


def check_issued(certificate: Certificate, issuer: Certificate) -> None:
    """Names equal as DER, signed by the issuer's key over the bytes as received. Raises Rejected."""
    if certificate.parts.issuer != issuer.parts.subject:
        raise Rejected(RejectionCode.ISSUER, "the predecessor's subject", "another issuer name")
    try:
        issuer.key.verify(certificate.signature, certificate.parts.to_be_signed, ES384)
    except InvalidSignature:
        raise Rejected(
            RejectionCode.CERTIFICATE_SIGNATURE, "a signature by the predecessor's key", "none that verifies"
        ) from None


def check_authority(certificate: Certificate) -> int | None:
    """A CA by critical BasicConstraints and keyCertSign; returns its path length, None for any. Raises Rejected."""
    extensions = certificate.extensions
    if not extensions.authority or not extensions.authority_is_critical:
        raise Rejected(RejectionCode.NOT_AN_AUTHORITY, "critical BasicConstraints with CA", "a certificate without")
    if not extensions.signs_certificates:
        raise Rejected(RejectionCode.AUTHORITY_KEY_USAGE, "keyCertSign", "an authority without it")
    return extensions.path_length


def check_leaf(certificate: Certificate) -> None:
    """Not a CA, and digitalSignature (never critical in genuine ones). Raises Rejected."""
    if certificate.extensions.authority:
        raise Rejected(RejectionCode.LEAF_IS_AUTHORITY, "a leaf", "a certificate authority")
    if not certificate.extensions.signs_data:
        raise Rejected(RejectionCode.LEAF_KEY_USAGE, "digitalSignature", "a leaf without it")


def check_common_name(certificate: Certificate, prefix: str) -> None:
    """The subject has one common name, and it begins with ``prefix``. Raises Rejected."""
    if len(certificate.common_names) != 1 or not certificate.common_names[0].startswith(prefix):
        raise Rejected(RejectionCode.COMMON_NAME, f"one name that begins with {prefix}", "another name")


def _check_algorithms(parts: CertificateParts) -> None:
    """Both places name it, byte for byte: only one of them is signed."""
    for algorithm in (parts.inner_algorithm, parts.outer_algorithm):
        if algorithm != _ECDSA_WITH_SHA384:
            raise Rejected(RejectionCode.CERTIFICATE_ALGORITHM, "ecdsa-with-SHA384 in both places", "another")


def _check_serial_number(parts: CertificateParts) -> None:
    """Positive, of at most 20 octets, as which genuine ones count without the sign's: RFC 5280 section 4.1.2.2."""
    number = parts.serial_number[2:]
    if number[:1] >= b"\x80" or not 1 <= len(number.lstrip(b"\0")) <= _MAX_SERIAL_BYTES:
        raise der.malformed(f"a positive serial number of at most {_MAX_SERIAL_BYTES} octets", "another")


def _check_names(parts: CertificateParts) -> None:
    """Neither may be empty, nor any set of attributes in it: RFC 5280 section 4.1.2.4."""
    for name in (parts.issuer, parts.subject):
        relative = [each for _, each in der.elements(name)]
        if not relative or _EMPTY_SET in relative:
            raise der.malformed("an issuer and a subject of attributes", "an empty name")


def _check_times(parts: CertificateParts, *instants: datetime) -> None:
    """UTCTime until 2049, GeneralizedTime from 2050: RFC 5280 section 4.1.2.5."""
    for (tag, _), instant in zip(der.elements(parts.validity), instants, strict=True):
        if tag != (der.UTC_TIME if instant.year < 2050 else der.GENERALIZED_TIME):
            raise der.malformed("UTCTime until 2049 and GeneralizedTime from 2050", "another")


def _public_key(certificate: x509.Certificate, parts: CertificateParts) -> EllipticCurvePublicKey:
    """The library also reads explicit curve parameters and compressed points; genuine ones have neither."""
    if not parts.public_key.startswith(_SECP384R1_POINT):
        raise Rejected(RejectionCode.CERTIFICATE_KEY, "a point on the named curve secp384r1", "another key")
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected(RejectionCode.CERTIFICATE_KEY, "a secp384r1 key", "an unreadable key") from None
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        raise Rejected(RejectionCode.CERTIFICATE_KEY, "a secp384r1 key", "a key of another kind")
    return key
