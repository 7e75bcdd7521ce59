"""The certificate that an EIF is signed under, and what `nitro-cli describe-eif` says of it.

nitro-cli prints through OpenSSL and Rust's debug formats; the texts here follow those (OpenSSL's OBJ_obj2txt and
ASN1_TIME_print; rust-openssl, asn1.rs; aws-nitro-enclaves-image-format, src/utils/eif_reader.rs).
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from attestation.eif.errors import EIFError
from attestation.eif.names import ATTRIBUTES, SIGNATURE_ALGORITHMS

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ESCAPES = {"\\": "\\\\", '"': "\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"}


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """One certificate with an EC key. Nobody checks who issued it; PCR8 measures its DER."""

    der: bytes = field(repr=False)
    key: EllipticCurvePublicKey = field(repr=False)
    issuer_name: Mapping[str, str]
    """By OpenSSL's name of the attribute, sorted; of an attribute that occurs twice, the last."""
    algorithm: str
    not_before: str
    not_after: str
    signature: str
    """The issuer's, as XX:XX:…"""

    @classmethod
    def from_pem(cls, pem: bytes, offset: int) -> SigningCertificate:
        """Read the first certificate of a PEM file that lies at ``offset``. Raises EIFError."""
        with _as_eif_error(offset):
            certificate = x509.load_der_x509_certificate(base64.b64decode(_first_body(pem, offset), validate=True))
            key, serial_number, issuer = certificate.public_key(), certificate.serial_number, certificate.issuer
        if serial_number < 1:
            raise EIFError("a positive serial number", "another", offset)
        if not isinstance(key, EllipticCurvePublicKey):
            raise EIFError("a certificate with an EC key", "another key", offset)
        algorithm = certificate.signature_algorithm_oid
        return cls(
            der=certificate.public_bytes(Encoding.DER),
            key=key,
            issuer_name=_issuer_name(issuer),
            algorithm=SIGNATURE_ALGORITHMS.get(algorithm, algorithm.dotted_string),
            not_before=_openssl_time(certificate.not_valid_before_utc),
            not_after=_openssl_time(certificate.not_valid_after_utc),
            signature=certificate.signature.hex(":").upper(),
        )


def _first_body(pem: bytes, offset: int) -> bytes:
    """What stands between the first block's lines: which block a reader takes, or skips as broken, differs."""
    start = pem.find(b"-----BEGIN ")
    end = pem.find(_END, start)
    if start < 0 or end < 0 or not pem.startswith(_BEGIN, start) or pem[start - 1 : start] not in (b"", b"\n"):
        raise EIFError("a PEM file that begins with a certificate", "something else", offset)
    return b"".join(pem[start + len(_BEGIN) : end].split())


@contextmanager
def _as_eif_error(offset: int) -> Iterator[None]:
    try:
        # The library warns, on standard error, of what it will refuse later; what matters of that is checked here.
        with warnings.catch_warnings(action="ignore"):
            yield
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        # A TypeError is what the library has for a name whose type it does not expect.
        raise EIFError("one X.509 certificate", "something else", offset) from None


def _issuer_name(name: x509.Name) -> dict[str, str]:
    texts = {ATTRIBUTES.get(each.oid, each.oid.dotted_string): _debug_text(each.value) for each in name}
    return dict(sorted(texts.items()))


def _debug_text(value: str | bytes) -> str:
    """A string as Rust debugs it, without the quotation marks; `error` for what is no text."""
    if isinstance(value, bytes):
        return "error"
    return "".join(_ESCAPES.get(each) or (each if each.isprintable() else f"\\u{{{ord(each):x}}}") for each in value)


def _openssl_time(at: datetime) -> str:
    return f"{_MONTHS[at.month - 1]} {at.day:2d} {at:%H:%M:%S} {at.year} GMT"
