"""Opening KMS's CiphertextForRecipient: CMS EnvelopedData (RFC 5652) in exactly the form that KMS sends.

BER with indefinite lengths; one KeyTransRecipientInfo named by subject key identifier (SHA-256 of our SPKI), RSA-OAEP
with SHA-256 and MGF1-SHA-256, AES-256-CBC content. The form has no authentication: only TLS says that it is KMS's.
So every failure, of the form, of OAEP, of the padding, of the length, is one error after the same steps: a padding
oracle needs two outcomes.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Final, Self

from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import KMSRefused

MAX_CMS_BYTES: Final = 16 << 10
DATA_KEY_BYTES: Final = 32
_KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 16
_SKI_BYTES: Final = 32
_OPENING: Final = bytes.fromhex("308006092a864886f70d010703a080")
"""ContentInfo of type envelopedData, its content in [0], both of indefinite length."""
_CLOSING: Final = bytes(4)
_OAEP_PARAMETERS: Final = bytes.fromhex(
    "302fa00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500"
)
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def _refused() -> KMSRefused:
    return KMSRefused("kms-bad-envelope", "CiphertextForRecipient: expected KMS's envelope for this enclave's key")


@dataclass(frozen=True)
class RecipientEnvelope:
    """The fields of one CiphertextForRecipient; everything else in it is constant."""

    subject_key_identifier: bytes
    wrapped_key: bytes
    iv: bytes
    ciphertext: bytes

    @classmethod
    def from_bytes(cls, envelope: bytes) -> Self:
        """Parse the BER; raise KMSRefused for every other form."""
        if len(envelope) > MAX_CMS_BYTES:
            raise _refused()
        try:
            return cls(*_fields(envelope))
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
            raise _refused() from None

    def open(self, key: rsa.RSAPrivateKey) -> bytes:
        """The plaintext, if it is for `key`; raise KMSRefused. The identifier is compared before anything is opened."""
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if self.subject_key_identifier != hashlib.sha256(spki).digest():
            raise _refused()
        content_key = _unwrap(self.wrapped_key, key)
        plaintext = _decrypt(content_key or secrets.token_bytes(_KEY_BYTES), self.iv, self.ciphertext)
        if content_key is None or plaintext is None:
            raise _refused()
        return plaintext


def open_data_key(envelope: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """The 32-byte data key that KMS encrypted to `key`; raise KMSRefused for anything else, with one message for all.

    A plaintext of another length is no other error: who could tell it from a bad padding would have the oracle.
    """
    data_key = RecipientEnvelope.from_bytes(envelope).open(key)
    if len(data_key) != DATA_KEY_BYTES:
        raise _refused()
    return data_key


def _fields(envelope: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    _require(envelope.startswith(_OPENING) and envelope.endswith(_CLOSING))
    data = _sequence(cms.EnvelopedData.load(envelope[len(_OPENING) : -len(_CLOSING)], strict=True))
    _require(data["version"].native == "v2" and len(data["recipient_infos"]) == 1)
    _require(data["originator_info"].native is None and data["unprotected_attrs"].native is None)
    identifier, wrapped_key = _recipient(data["recipient_infos"][0])
    encrypted = _sequence(data["encrypted_content_info"])
    algorithm = _sequence(encrypted["content_encryption_algorithm"])
    _require(encrypted["content_type"].native == "data" and algorithm["algorithm"].native == "aes256_cbc")
    iv, ciphertext = algorithm["parameters"].native, encrypted["encrypted_content"].native
    _require(len(iv) == _BLOCK_BYTES and len(ciphertext) > 0 and len(ciphertext) % _BLOCK_BYTES == 0)
    return identifier, wrapped_key, iv, ciphertext


def _recipient(recipient: Any) -> tuple[bytes, bytes]:
    _require(recipient.name == "ktri")
    info = _sequence(recipient.chosen)
    _require(info["version"].native == "v2" and info["rid"].name == "subject_key_identifier")
    algorithm = _sequence(info["key_encryption_algorithm"])
    _require(algorithm["algorithm"].native == "rsaes_oaep")
    _require(algorithm["parameters"].dump() == _OAEP_PARAMETERS)
    identifier: bytes = info["rid"].native
    _require(len(identifier) == _SKI_BYTES)
    return identifier, info["encrypted_key"].native


def _sequence(parsed: Any) -> Any:
    """The sequence itself; raise ValueError for members behind its last one, which asn1crypto lets pass."""
    _require(len(parsed) == len([*parsed]))
    return parsed


def _unwrap(wrapped_key: bytes, key: rsa.RSAPrivateKey) -> bytes | None:
    try:
        content_key = key.decrypt(wrapped_key, _OAEP)
    except ValueError:
        return None
    return content_key if len(content_key) == _KEY_BYTES else None


def _decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> bytes | None:
    decryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    unpadder = PKCS7(8 * _BLOCK_BYTES).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("not the form that KMS sends")
