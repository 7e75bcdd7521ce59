"""Sealed weights: a model package at rest, opened only where KMS releases its data key.

A sealed model is head ‖ chunk*. The plaintext is the manifest behind its length (4 bytes), then the files in the
manifest's order. It is cut into chunks of 1 MiB (the last may be shorter), each AES-256-GCM under

    key ‖ base nonce = HKDF-SHA256(data key, salt = the head's,
                                   info = label ‖ SHA-256(head) ‖ SHA-256(canonical CBOR [key ARN, encryption context]))

with nonce = base XOR counter and AAD = counter ‖ last flag. So a chunk opens at its own place only, none can be dropped
or cut off, and neither a wrapped key of another model (another head) nor the key entry of another tenant or purpose
(another context, review R7) opens anything, even with the same data key.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.protocol.canonical import encode
from strongroom.protocol.constants import LABEL_WEIGHTS, SALT_BYTES
from strongroom.protocol.errors import OpenFailed
from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES, SealedWeightsHead


class WeightsCipher:
    """Seals and opens the chunks of one sealed model, each by its index, in any order."""

    def __init__(self, head: SealedWeightsHead, data_key: bytes, arn: str, context: Mapping[str, str]) -> None:
        """`arn` and `context` are those under which KMS wrapped the data key."""
        bound = hashlib.sha256(head.to_bytes()).digest() + hashlib.sha256(encode([arn, dict(context)])).digest()
        material = HKDF(SHA256(), 44, salt=head.salt, info=LABEL_WEIGHTS + bound).derive(data_key)
        self.head = head
        self._aead = AESGCM(material[:32])
        self._base = int.from_bytes(material[32:], "big")

    def seal(self, index: int, chunk: bytes) -> bytes:
        """The sealed chunk `index`, 16 bytes longer than the plaintext."""
        nonce, aad = self._nonce_and_aad(index)
        return self._aead.encrypt(nonce, chunk, aad)

    def open(self, index: int, sealed: bytes | memoryview) -> bytes:
        """The plaintext of chunk `index`; raise OpenFailed."""
        nonce, aad = self._nonce_and_aad(index)
        try:
            return self._aead.decrypt(nonce, sealed, aad)
        except InvalidTag:
            raise OpenFailed from None

    def _nonce_and_aad(self, index: int) -> tuple[bytes, bytes]:
        last = index == self.head.chunks - 1
        return (self._base ^ index).to_bytes(12, "big"), index.to_bytes(8, "big") + bytes([last])


def new_weights_head(model: str, version: str, plaintext_bytes: int, wrapped_key: bytes) -> SealedWeightsHead:
    """A head with a fresh salt."""
    return SealedWeightsHead(model, version, secrets.token_bytes(SALT_BYTES), plaintext_bytes, wrapped_key)


def seal_weights(cipher: WeightsCipher, plaintext: Iterable[bytes]) -> Iterator[bytes]:
    """The sealed model piece by piece: first the head, then the chunks.

    Raises ValueError at the end when the plaintext has not the length that the head says: nothing would open it.
    """
    yield cipher.head.to_bytes()
    expected, actual = cipher.head.plaintext_bytes, 0
    for index, chunk in enumerate(_cut(plaintext, WEIGHTS_CHUNK_BYTES)):
        actual += len(chunk)
        yield cipher.seal(index, chunk)
    if actual != expected:
        raise ValueError(f"plaintext: expected {expected} bytes, got {actual}")


def _cut(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Regroup pieces into parts of exactly `size` bytes; the last may be shorter."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= size:
            yield bytes(buffer[:size])
            del buffer[:size]
    if buffer:
        yield bytes(buffer)
