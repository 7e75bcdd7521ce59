"""Public keys as attestation documents carry them: SubjectPublicKeyInfo in DER, and nothing else."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


def load_public_key(der: bytes) -> PublicKeyTypes:
    """The key in `der`. Raises ValueError for anything but a SubjectPublicKeyInfo of a known algorithm."""
    try:
        key = serialization.load_der_public_key(der)
    except UnsupportedAlgorithm as error:
        raise ValueError("expected a public key of a known algorithm") from error
    # The library takes the bare RSAPublicKey of PKCS #1 too.
    if isinstance(key, RSAPublicKey) and der == _pkcs1(key):
        raise ValueError("expected a SubjectPublicKeyInfo, got the RSAPublicKey of PKCS #1")
    return key


def _pkcs1(key: RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
