"""`CiphertextForRecipient` as AWS KMS writes it: CMS EnvelopedData (RFC 5652) in BER with indefinite lengths.

The shape is fixed, because AWS's own C client accepts no other: DER, for one, is an error there. It is small
enough to be written down octet by octet, and compared with captured answers of KMS in the tests.
"""

import os
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from strongroom.simulator.public_keys import load_public_key

_OCTET_STRING, _SEQUENCE, _SET = b"\x04", b"\x30", b"\x31"
_EXPLICIT_0, _EXPLICIT_1, _IMPLICIT_0 = b"\xa0", b"\xa1", b"\x80"
_END_OF_CONTENTS = b"\x00\x00"

_VERSION_2 = bytes.fromhex("020102")
_ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")  # 1.2.840.113549.1.7.3
_DATA = bytes.fromhex("06092a864886f70d010701")  # 1.2.840.113549.1.7.1
_AES_256_CBC = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42
_SHA256 = bytes.fromhex("300d06096086480165030402010500")  # AlgorithmIdentifier, NULL parameters
_MGF1 = bytes.fromhex("06092a864886f70d010108")  # 1.2.840.113549.1.1.8
_RSAES_OAEP = bytes.fromhex("06092a864886f70d010107")  # 1.2.840.113549.1.1.7

_CHUNK_BYTES = 1000
_BLOCK_BITS = 128
_KEY_BYTES = 32
_IV_BYTES = 16


def ciphertext_for_recipient(plaintext: bytes, spki_der: bytes) -> bytes:
    """Seal `plaintext` to the RSA key in `spki_der`, the `public_key` of an attestation document.

    AES-256-CBC under a fresh key, that key under RSAES-OAEP with SHA-256; SHA-256 of `spki_der` names the
    recipient. Raises ValueError if `spki_der` is not the SubjectPublicKeyInfo of an RSA key, long enough for this.
    """
    key, iv = os.urandom(_KEY_BYTES), os.urandom(_IV_BYTES)
    algorithm = _definite(_SEQUENCE, _AES_256_CBC, _definite(_OCTET_STRING, iv))
    content = _indefinite(_EXPLICIT_0, *_chunks(_encrypted(plaintext, key, iv)))
    enveloped = _indefinite(
        _SEQUENCE,
        _VERSION_2,
        _definite(_SET, _recipient(key, spki_der)),
        _indefinite(_SEQUENCE, _DATA, algorithm, content),
    )
    return _indefinite(_SEQUENCE, _ENVELOPED_DATA, _indefinite(_EXPLICIT_0, enveloped))


def _recipient(key: bytes, spki_der: bytes) -> bytes:
    hash_algorithm = _definite(_EXPLICIT_0, _SHA256)
    mask_generation = _definite(_EXPLICIT_1, _definite(_SEQUENCE, _MGF1, _SHA256))
    return _definite(
        _SEQUENCE,
        _VERSION_2,
        _definite(_IMPLICIT_0, sha256(spki_der).digest()),
        _definite(_SEQUENCE, _RSAES_OAEP, _definite(_SEQUENCE, hash_algorithm, mask_generation)),
        _definite(_OCTET_STRING, _wrapped(key, spki_der)),
    )


def _wrapped(key: bytes, spki_der: bytes) -> bytes:
    recipient = load_public_key(spki_der)
    if not isinstance(recipient, RSAPublicKey):
        raise ValueError(f"expected an RSA public key, got {type(recipient).__name__}")
    return recipient.encrypt(key, OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), label=None))


def _encrypted(plaintext: bytes, key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def _chunks(content: bytes) -> list[bytes]:
    # KMS has also been seen to write a single block without chunks; AWS's C client would read nothing there.
    starts = range(0, len(content), _CHUNK_BYTES)
    return [_definite(_OCTET_STRING, content[start : start + _CHUNK_BYTES]) for start in starts]


def _definite(tag: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    if len(content) < 0x80:
        return tag + bytes([len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return tag + bytes([0x80 | len(length)]) + length + content


def _indefinite(tag: bytes, *parts: bytes) -> bytes:
    return tag + b"\x80" + b"".join(parts) + _END_OF_CONTENTS
