"""What must look random and yet be the same on every machine: all of it follows from one seed. It protects nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEED = b"strongroom protocol vectors 1"
AT_MS = 1_760_000_400_000 + 60_000
"""A minute after the document of the vectors was made."""
XWING_ENC = Path(__file__).with_name("xwing-enc.hex")
"""The one thing that is stored: pyca cannot fix an encapsulation's randomness. `clients/js/test/encapsulate.js` made it
from the public key and `xwing_ekm()`, and the JavaScript tests make it again."""

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def derived(label: str, length: int) -> bytes:
    """``length`` bytes that the seed and ``label`` name."""
    return HKDF(SHA512(), length, salt=None, info=label.encode()).derive(SEED)


def xwing_ekm() -> bytes:
    """The randomness of the stored encapsulation: for ML-KEM, then the ephemeral X25519 key."""
    return derived("x-wing encapsulation", 64)


@dataclass(frozen=True)
class X25519Pair:
    """Suite 2: the seed is the private key."""

    label: str
    suite = 2

    @property
    def seed(self) -> bytes:
        """32 bytes."""
        return derived(f"x25519 key: {self.label}", 32)

    @cached_property
    def private(self) -> X25519PrivateKey:
        """The private key."""
        return X25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def public(self) -> bytes:
        """32 bytes."""
        return self.private.public_key().public_bytes_raw()


@dataclass(frozen=True)
class XWingPair:
    """Suite 1: draft-connolly-cfrg-xwing-kem section 5.2."""

    label: str
    suite = 1

    @property
    def seed(self) -> bytes:
        """32 bytes."""
        return derived(f"x-wing key: {self.label}", 32)

    @cached_property
    def _expanded(self) -> bytes:
        return hashlib.shake_256(self.seed).digest(96)

    @cached_property
    def mlkem(self) -> MLKEM768PrivateKey:
        """The post-quantum half."""
        return MLKEM768PrivateKey.from_seed_bytes(self._expanded[:64])

    @cached_property
    def x25519(self) -> X25519PrivateKey:
        """The classical half."""
        return X25519PrivateKey.from_private_bytes(self._expanded[64:])

    @cached_property
    def public(self) -> bytes:
        """1,216 bytes: ML-KEM first."""
        return self.mlkem.public_key().public_bytes_raw() + self.x25519.public_key().public_bytes_raw()


KeyPair = X25519Pair | XWingPair


@cache
def receipt_key(label: str = "enclave") -> ec.EllipticCurvePrivateKey:
    """A P-256 key."""
    number = int.from_bytes(derived(f"receipt key: {label}", 48), "big") % (_P256_ORDER - 1) + 1
    return ec.derive_private_key(number, ec.SECP256R1())
