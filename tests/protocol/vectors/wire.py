"""The byte layouts of docs/protocol.md, written out a second time: nothing here comes from `strongroom.protocol`."""

from __future__ import annotations

import hashlib
import hmac

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MEDIA_REQUEST = b"application/vnd.strongroom.sealed-request"
MEDIA_WHOLE = b"application/vnd.strongroom.sealed-response"
MEDIA_STREAM = b"application/vnd.strongroom.sealed-stream"
BODY, FRAME, LAST = 1024, 256, 2048
"""The smallest buckets: of a request, of a stream's chunk, of an answer's last chunk."""


def prefixed(*fields: bytes) -> bytes:
    """Each field behind its length in 4 bytes."""
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def canonical(value: object) -> bytes:
    """The one encoding of a sound value (RFC 7049 section 3.9)."""
    return cbor2.dumps(value, canonical=True)


def padded(body: bytes, smallest: int = BODY) -> bytes:
    """length ‖ body ‖ zeros, to the next bucket: doubled up to 64 KiB, then a multiple of it."""
    bucket = smallest
    while bucket < len(body) + 4:
        bucket += min(bucket, 65536)
    return (len(body).to_bytes(4, "big") + body).ljust(bucket, b"\0")


def flipped(data: bytes, at: int) -> bytes:
    """The same bytes but for one bit; ``at`` counts from the end when negative."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    prk, block, blocks = hmac.digest(salt, secret, "sha256"), b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        blocks += block
    return blocks[:length]


class Cipher:
    """AES-256-GCM under key ‖ base nonce = HKDF(secret, salt, label ‖ digests)."""

    def __init__(self, secret: bytes, salt: bytes, info: bytes) -> None:
        material = hkdf(secret, salt, info, 44)
        self._aead, self._base = AESGCM(material[:32]), int.from_bytes(material[32:], "big")

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Under the base nonce itself: one message."""
        return self._aead.encrypt(self._base.to_bytes(12, "big"), plaintext, aad)

    def chunk(self, counter: int, last: bool, plaintext: bytes) -> bytes:
        """One of many: nonce = base XOR counter, AAD = counter ‖ last."""
        nonce, aad = (self._base ^ counter).to_bytes(12, "big"), counter.to_bytes(8, "big") + bytes([last])
        return self._aead.encrypt(nonce, plaintext, aad)


def sha256(*parts: bytes) -> bytes:
    """Of the parts in one."""
    return hashlib.sha256(b"".join(parts)).digest()


def sha384(*parts: bytes) -> bytes:
    """Of the parts in one."""
    return hashlib.sha384(b"".join(parts)).digest()
