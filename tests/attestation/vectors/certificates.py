"""One certificate, field by field, so that a case can change any single one and have the rest re-signed around it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from tests.attestation.vectors import der
from tests.attestation.vectors.extensions import Extension
from tests.attestation.vectors.keys import SEED, Key

COUNTRY, STATE, LOCALITY, ORGANIZATION, UNIT, COMMON_NAME = (f"2.5.4.{arc}" for arc in (6, 8, 7, 10, 11, 3))

ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512 = (f"1.2.840.10045.4.3.{arc}" for arc in (2, 3, 4))
_HASHES: dict[str, type[HashAlgorithm]] = {ECDSA_SHA256: SHA256, ECDSA_SHA384: SHA384, ECDSA_SHA512: SHA512}
_EC_PUBLIC_KEY = der.oid("1.2.840.10045.2.1")
_CURVES = {"secp384r1": der.oid("1.3.132.0.34"), "secp256r1": der.oid("1.2.840.10045.3.1.7")}
_VERSION_3 = der.explicit(0, der.integer(2))


def name(*parts: tuple[str, str], string: int = der.UTF8_STRING) -> bytes:
    """A distinguished name of one attribute per RDN, in this order; the country is always a PrintableString."""
    return der.sequence(*(_rdn(oid, text, string) for oid, text in parts))


def public_key(key: Key) -> bytes:
    """SubjectPublicKeyInfo: a full point on a named curve (RFC 5480)."""
    x, y = (number.to_bytes(key.coordinate_bytes, "big") for number in key.point())
    return key_info(_CURVES[key.curve], b"\x04" + x + y)


def key_info(parameters: bytes, point: bytes) -> bytes:
    """SubjectPublicKeyInfo of an elliptic curve key, from its parts."""
    return der.sequence(der.sequence(_EC_PUBLIC_KEY, parameters), der.bit_string(point))


def _whole_extensions(extensions: tuple[Extension, ...]) -> bytes:
    return der.sequence(*(extension.to_bytes() for extension in extensions))


def _as_it_is(certificate: bytes) -> bytes:
    return certificate


@dataclass(frozen=True)
class Certificate:
    """What one certificate says; ``issuer`` and ``signer`` are the predecessor's unless given.

    ``inner`` and ``outer`` are the dotted signature algorithms, ``twist`` alters the finished DER.
    """

    subject: bytes
    key: Key
    not_before: datetime
    not_after: datetime
    extensions: tuple[Extension, ...]
    issuer: bytes | None = None
    signer: Key | None = None
    version: bytes = _VERSION_3
    serial: int | None = None
    inner: str = ECDSA_SHA384
    outer: str = ECDSA_SHA384
    public_key: bytes | None = None
    encoded_time: Callable[[datetime], bytes] = der.time
    encoded_extensions: Callable[[tuple[Extension, ...]], bytes] = _whole_extensions
    twist: Callable[[bytes], bytes] = field(default=_as_it_is)

    def issued_by(self, issuer: Certificate) -> bytes:
        """DER, with the signature of the issuer's key, or of ``signer``."""
        r, s = self.signature_by(issuer)
        signature = der.bit_string(der.sequence(der.integer(r), der.integer(s)))
        return self.twist(der.sequence(self._signed(issuer), _algorithm(self.outer), signature))

    def signature_by(self, issuer: Certificate) -> tuple[int, int]:
        """r and s of that signature."""
        return (self.signer or issuer.key).sign(self._signed(issuer), _HASHES[self.outer])

    def _signed(self, issuer: Certificate) -> bytes:
        rest = (
            _algorithm(self.inner),
            self.issuer or issuer.subject,
            der.sequence(self.encoded_time(self.not_before), self.encoded_time(self.not_after)),
            self.subject,
            self.public_key or public_key(self.key),
            der.explicit(3, self.encoded_extensions(self.extensions)),
        )
        return der.sequence(self.version, der.integer(self.serial or _serial(rest)), *rest)


def _rdn(oid: str, text: str, string: int) -> bytes:
    tag = der.PRINTABLE_STRING if oid == COUNTRY else string
    return der.element(der.SET, der.sequence(der.oid(oid), der.element(tag, text.encode())))


def _algorithm(dotted: str) -> bytes:
    return der.sequence(der.oid(dotted))


def _serial(content: tuple[bytes, ...]) -> int:
    """16 bytes, positive, another one for every other content."""
    return int.from_bytes(hashlib.sha512(SEED + b"".join(content)).digest()[:16], "big") & ~(1 << 127) | 1 << 126
