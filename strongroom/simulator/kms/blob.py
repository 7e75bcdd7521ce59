"""Ciphertext blobs: AES-256-GCM under a KMS key, bound to the key's ARN and the encryption context.

moto's own blobs join the context's names and values without separators, so that different contexts can open the
same blob, and cut the ids of multi-Region keys. Hence these. A checksum of the header tells an altered blob, which is
invalid, from a whole one whose key does not exist, which is denied.
"""

import json
import os
from collections.abc import Mapping
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.simulator.kms.errors import invalid_ciphertext

_VERSION = b"strongroom dev KMS 1\0"
_CHECKSUM_BYTES = 8
_NONCE_BYTES = 12
_TAG_BYTES = 16
MAX_BLOB_BYTES = 6144


def seal(plaintext: bytes, *, key_arn: str, material: bytes, context: Mapping[str, str]) -> bytes:
    """A blob of `plaintext` that opens only under the same key and an equal `context`."""
    nonce = os.urandom(_NONCE_BYTES)
    header = _VERSION + bytes([len(key_arn)]) + key_arn.encode("ascii")
    return header + _checksum(header) + nonce + AESGCM(material).encrypt(nonce, plaintext, _aad(header, context))


def key_arn_of(blob: bytes) -> str:
    """The ARN of the key that sealed `blob`. Raises `KMSError` if it is no blob of ours."""
    return _split(blob)[0].removeprefix(_VERSION)[1:].decode("ascii")


def open_(blob: bytes, *, material: bytes, context: Mapping[str, str]) -> bytes:
    """The plaintext of `blob`. Raises `KMSError`, the same for every reason."""
    header, nonce, ciphertext = _split(blob)
    try:
        return AESGCM(material).decrypt(nonce, ciphertext, _aad(header, context))
    except InvalidTag as error:
        raise invalid_ciphertext() from error


def _split(blob: bytes) -> tuple[bytes, bytes, bytes]:
    start = len(_VERSION) + 1
    if not blob.startswith(_VERSION) or len(blob) < start:
        raise invalid_ciphertext()
    end = start + blob[start - 1]
    header, checksum, sealed = blob[:end], blob[end : end + _CHECKSUM_BYTES], blob[end + _CHECKSUM_BYTES :]
    if checksum != _checksum(header) or not header[start:].isascii() or len(sealed) < _NONCE_BYTES + _TAG_BYTES:
        raise invalid_ciphertext()
    return header, sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]


def _checksum(header: bytes) -> bytes:
    return sha256(header).digest()[:_CHECKSUM_BYTES]


def _aad(header: bytes, context: Mapping[str, str]) -> bytes:
    return header + json.dumps(context, sort_keys=True).encode()
