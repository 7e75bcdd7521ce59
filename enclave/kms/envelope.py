"""Opening KMS's CiphertextForRecipient: CMS EnvelopedData (RFC 5652) in exactly the form that KMS sends.

BER with indefinite lengths; one KeyTransRecipientInfo named by subject key identifier (SHA-256 of our SPKI), RSA-OAEP
with SHA-256 and MGF1-SHA-256, AES-256-CBC content. The form has no authentication, so every failure is one error: a
padding oracle needs two.
"""

import hashlib
from typing import Any, Final

from asn1crypto import cms
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import KMSRefused

MAX_CMS_BYTES: Final = 16 << 10
_OAEP_PARAMETERS: Final = bytes.fromhex(
    "302fa00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500"
)
_OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


def _refused() -> KMSRefused:
    return KMSRefused("kms-bad-envelope", "CiphertextForRecipient: expected KMS's envelope for this enclave's key")


def open_for_recipient(envelope: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """The plaintext that KMS encrypted to `key`; raise KMSRefused for anything else, with one message for all."""
    if len(envelope) > MAX_CMS_BYTES:
        raise _refused()
    try:
        return _open(envelope, key)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        raise _refused() from None


def _open(envelope: bytes, key: rsa.RSAPrivateKey) -> bytes:
    content = cms.ContentInfo.load(envelope, strict=True)
    _require(content["content_type"].native == "enveloped_data")
    data = content["content"]
    _require(data["version"].native == "v2" and len(data["recipient_infos"]) == 1)
    wrapped = _wrapped_key(data["recipient_infos"][0], key)
    encrypted = data["encrypted_content_info"]
    algorithm = encrypted["content_encryption_algorithm"]
    _require(encrypted["content_type"].native == "data" and algorithm["algorithm"].native == "aes256_cbc")
    content_key = key.decrypt(wrapped, _OAEP)
    _require(len(content_key) == 32)
    return _decrypt_cbc(content_key, algorithm["parameters"].native, encrypted["encrypted_content"].native)


def _wrapped_key(recipient: Any, key: rsa.RSAPrivateKey) -> bytes:
    _require(recipient.name == "ktri")
    info = recipient.chosen
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    _require(info["version"].native == "v2" and info["rid"].name == "subject_key_identifier")
    _require(info["rid"].native == hashlib.sha256(spki).digest())
    algorithm = info["key_encryption_algorithm"]
    _require(algorithm["algorithm"].native == "rsaes_oaep")
    _require(algorithm["parameters"].dump() == _OAEP_PARAMETERS)
    wrapped: bytes = info["encrypted_key"].native
    return wrapped


def _decrypt_cbc(key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    decryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(128).unpadder()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def _require(condition: bool) -> None:
    if not condition:
        raise ValueError("not the form that KMS sends")
