"""What must look random and yet be the same on every machine: keys, signatures, filling, all from one seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEED = b"strongroom conformance vectors 1"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
"""Of the group of secp384r1 (SEC 2, section 2.5.1)."""

_CURVES = {
    "secp384r1": (ec.SECP384R1(), ORDER),
    "secp256r1": (ec.SECP256R1(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
}


def derived(label: str, length: int) -> bytes:
    """``length`` bytes that the seed and ``label`` name."""
    return HKDF(SHA512(), length, salt=None, info=label.encode()).derive(SEED)


@dataclass(frozen=True)
class Key:
    """A private key by its name; the bytes follow from the seed. Anyone can sign with these: they protect nothing."""

    label: str
    curve: str = "secp384r1"

    def sign(self, message: bytes, algorithm: type[HashAlgorithm] = SHA384) -> tuple[int, int]:
        """The one signature (r, s) that RFC 6979 allows."""
        der = _private(self).sign(message, ec.ECDSA(algorithm(), deterministic_signing=True))
        return decode_dss_signature(der)

    def point(self) -> tuple[int, int]:
        """The public point's coordinates."""
        numbers = _private(self).public_key().public_numbers()
        return numbers.x, numbers.y

    @property
    def coordinate_bytes(self) -> int:
        """The length of one coordinate."""
        return (_CURVES[self.curve][0].key_size + 7) // 8

    def identifier(self) -> bytes:
        """SHA-1 of the uncompressed point: RFC 5280 section 4.2.1.2, method 1."""
        x, y = (number.to_bytes(self.coordinate_bytes, "big") for number in self.point())
        return hashlib.sha1(b"\x04" + x + y, usedforsecurity=False).digest()


@cache
def _private(key: Key) -> ec.EllipticCurvePrivateKey:
    curve, order = _CURVES[key.curve]
    number = int.from_bytes(derived(f"{key.curve} key: {key.label}", 72), "big") % (order - 1) + 1
    return ec.derive_private_key(number, curve)
