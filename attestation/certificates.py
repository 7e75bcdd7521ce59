"""One certificate of a chain: its encoding, its algorithms and its extensions (rules 22 to 25)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from attestation.errors import Rejected, RejectionCode

_E = TypeVar("_E", bound=x509.ExtensionType)

_UNDERSTOOD = (x509.BasicConstraints.oid, x509.KeyUsage.oid)


def parse(der: bytes) -> x509.Certificate:
    """Read strict DER of one v3 certificate, ecdsa-with-SHA384, no extension beyond us. Raises Rejected."""
    with _as_encoding_error():
        certificate = x509.load_der_x509_certificate(der)
        version, algorithm = certificate.version, certificate.signature_algorithm_oid
        extensions = certificate.extensions
        _read_lazy_parts(certificate)
    if version is not x509.Version.v3:
        raise Rejected(RejectionCode.CERTIFICATE_ENCODING, "version 3", version.name)
    if certificate.serial_number < 1:
        raise Rejected(RejectionCode.CERTIFICATE_ENCODING, "a positive serial number", "another")
    if algorithm != SignatureAlgorithmOID.ECDSA_WITH_SHA384:
        raise Rejected(RejectionCode.CERTIFICATE_ALGORITHM, "ecdsa-with-SHA384", algorithm.dotted_string)
    _check_extensions(extensions)
    return certificate


def public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The certificate's key, which must be on secp384r1 as a named curve. Raises Rejected."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected(RejectionCode.CERTIFICATE_KEY, "a secp384r1 key", "an unreadable key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise Rejected(RejectionCode.CERTIFICATE_KEY, "a secp384r1 key", "a key of another kind")
    # The library also reads explicit curve parameters and compressed points; neither re-encodes to the same bytes.
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) not in certificate.tbs_certificate_bytes:
        raise Rejected(RejectionCode.CERTIFICATE_KEY, "a named curve and a full point", "another encoding")
    return key


def check_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Names equal as DER, signed by the issuer's key, outer and inner algorithm equal. Raises Rejected."""
    if certificate.issuer.public_bytes() != issuer.subject.public_bytes():
        raise Rejected(RejectionCode.ISSUER, "the predecessor's subject", "another issuer name")
    public_key(issuer)
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        raise Rejected(
            RejectionCode.CERTIFICATE_SIGNATURE, "a signature by the predecessor's key", "none that verifies"
        ) from None


def check_authority(certificate: x509.Certificate, authorities_below: int) -> None:
    """A CA by critical BasicConstraints, with room for the CAs below it, and keyCertSign. Raises Rejected."""
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.critical or not constraints.value.ca:
        raise Rejected(RejectionCode.NOT_AN_AUTHORITY, "critical BasicConstraints with CA", "a certificate without")
    path_length = constraints.value.path_length
    if path_length is not None and path_length < authorities_below:
        raise Rejected(RejectionCode.PATH_LENGTH, f"at least {authorities_below}", f"{path_length}")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None or not usage.value.key_cert_sign:
        raise Rejected(RejectionCode.KEY_USAGE, "keyCertSign", "an authority without it")


def check_leaf(certificate: x509.Certificate) -> None:
    """Not a CA, no path length, digitalSignature (never critical in genuine ones). Raises Rejected."""
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is not None and (constraints.value.ca or constraints.value.path_length is not None):
        raise Rejected(RejectionCode.LEAF_IS_AUTHORITY, "a leaf", "a certificate authority")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None or not usage.value.digital_signature:
        raise Rejected(RejectionCode.KEY_USAGE, "digitalSignature", "a leaf without it")


def check_common_name(certificate: x509.Certificate, prefix: str) -> None:
    """The subject has one common name and it begins with ``prefix``. Raises Rejected."""
    names = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if len(names) != 1 or not str(names[0]).startswith(prefix):
        raise Rejected(RejectionCode.COMMON_NAME, f"one name that begins with {prefix}", "another name")


def _read_lazy_parts(certificate: x509.Certificate) -> None:
    """Make the library decode now what it otherwise decodes, and refuses, at first use."""
    for name in (certificate.issuer, certificate.subject):
        name.public_bytes()
    _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc


def _check_extensions(extensions: x509.Extensions) -> None:
    for extension in extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise Rejected(RejectionCode.EXTENSION, "no unknown critical extension", extension.oid.dotted_string)
        if extension.oid == x509.NameConstraints.oid:
            raise Rejected(RejectionCode.EXTENSION, "no name constraints", extension.oid.dotted_string)


def _extension(certificate: x509.Certificate, kind: type[_E]) -> x509.Extension[_E] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


@contextmanager
def _as_encoding_error() -> Iterator[None]:
    try:
        yield
    except x509.DuplicateExtension as error:
        raise Rejected(RejectionCode.EXTENSION, "each extension once", error.oid.dotted_string) from None
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, Warning):
        # A Warning arrives here where warnings are errors: the library warns of what it will refuse later.
        raise Rejected(RejectionCode.CERTIFICATE_ENCODING, "one X.509 certificate in DER", "something else") from None
