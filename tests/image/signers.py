"""Keys and certificates to sign images with, sound or wrong in one place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from strongroom.image.signing import Signer
from tests.attestation.eif.builder import certificate, key

AT = datetime(2030, 1, 1, tzinfo=UTC)
"""In the window of every certificate of the tests, 2026-01-02 to 2056-11-12."""


def key_pem(private_key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, passphrase: bytes = b"") -> bytes:
    protection: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def signer(name: str = "ES384") -> Signer:
    return Signer.from_pem(certificate(key(name)), key_pem(key(name)), AT)


def write_pair(folder: Path, name: str = "ES384") -> tuple[Path, Path]:
    """The files of a certificate and of its key."""
    pair = folder / "signer.pem", folder / "signer-key.pem"
    pair[0].write_bytes(certificate(key(name)))
    pair[1].write_bytes(key_pem(key(name)))
    return pair
