"""HPKE suites, by the id that stands in signed data. Nothing is negotiated: a key configuration names one."""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from strongroom.protocol.errors import Malformed, Unsupported
from strongroom.protocol.ways import WayIn

_MLKEM_PUBLIC_BYTES = 1184
_X25519_BYTES = 32


class Suite(IntEnum):
    """HPKE base mode (RFC 9180) with HKDF-SHA256 and AES-256-GCM over one of two KEMs."""

    XWING = WayIn.XWING
    """MLKEM768-X25519 (X-Wing, KEM id 0x647A): the default."""
    X25519 = WayIn.X25519
    """DHKEM(X25519, HKDF-SHA256), KEM id 0x0020."""

    @classmethod
    def from_id(cls, value: int) -> "Suite":
        """The suite of that id; raise Unsupported for any other."""
        try:
            return cls(value)
        except ValueError:
            raise Unsupported(f"suite: expected 1 or 2, got {value}") from None

    @property
    def way_in(self) -> WayIn:
        """What the head of a request sealed under this suite says."""
        return WayIn(self)

    @property
    def hpke(self) -> hpke.Suite:
        """The primitive: single-shot encrypt and decrypt with `info`."""
        kem = hpke.KEM.MLKEM768_X25519 if self is Suite.XWING else hpke.KEM.X25519
        return hpke.Suite(kem, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


PublicKey = hpke.MLKEM768X25519PublicKey | X25519PublicKey
PrivateKey = hpke.MLKEM768X25519PrivateKey | X25519PrivateKey


@dataclass(frozen=True)
class KEMKeyPair:
    """A KEM key pair made from 32 random bytes; one seed serves one suite only (R18)."""

    suite: Suite
    private: PrivateKey
    public: bytes
    """The raw public key: 1,216 bytes for X-Wing (ML-KEM first), 32 for X25519."""

    @classmethod
    def from_seed(cls, suite: Suite, seed: bytes) -> "KEMKeyPair":
        """Derive the pair from a 32-byte seed; X-Wing expands it as draft-connolly-cfrg-xwing-kem section 5.2."""
        if len(seed) != _X25519_BYTES:
            raise Malformed(f"KEM seed: expected {_X25519_BYTES} bytes, got {len(seed)}")
        if suite is Suite.X25519:
            x25519 = X25519PrivateKey.from_private_bytes(seed)
            return cls(suite, x25519, x25519.public_key().public_bytes_raw())
        expanded = hashlib.shake_256(seed).digest(96)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        return cls(suite, hpke.MLKEM768X25519PrivateKey(mlkem, x25519), public)


def load_public_key(suite: Suite, raw: bytes) -> PublicKey:
    """The public key of those raw bytes; raise Malformed for a wrong length or an invalid key."""
    expected = _X25519_BYTES + (_MLKEM_PUBLIC_BYTES if suite is Suite.XWING else 0)
    if len(raw) != expected:
        raise Malformed(f"public key: expected {expected} bytes for {suite.name}, got {len(raw)}")
    try:
        x25519 = X25519PublicKey.from_public_bytes(raw[-_X25519_BYTES:])
        if suite is Suite.X25519:
            return x25519
        return hpke.MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC_BYTES]), x25519)
    except ValueError:
        raise Malformed(f"public key: expected a valid {suite.name} key") from None
