"""Sealed weights: a model package at rest, opened only where KMS releases its data key.

A sealed model is head ‖ chunk*. The plaintext is the manifest behind its length (4 bytes), then the files in the
manifest's order. It is cut into chunks of 1 MiB (the last may be shorter), each AES-256-GCM under

    key ‖ base nonce = HKDF-SHA256(data key, salt = the head's, info = label ‖ SHA-256(head))

with nonce = base XOR counter and AAD = counter ‖ last flag; so chunks cannot be moved, dropped or cut off, and a
wrapped key of another model (another head) opens nothing.
"""

import hashlib
import secrets
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.protocol.constants import LABEL_WEIGHTS, SALT_BYTES, TAG_BYTES
from strongroom.protocol.errors import OpenFailed, Truncated
from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES, SealedWeightsHead

_SEALED_CHUNK_BYTES = WEIGHTS_CHUNK_BYTES + TAG_BYTES


class _WeightsCipher:
    def __init__(self, data_key: bytes, head: SealedWeightsHead) -> None:
        info = LABEL_WEIGHTS + hashlib.sha256(head.to_bytes()).digest()
        material = HKDF(SHA256(), 44, salt=head.salt, info=info).derive(data_key)
        self.aead = AESGCM(material[:32])
        self._base = int.from_bytes(material[32:], "big")

    def nonce_and_aad(self, counter: int, last: bool) -> tuple[bytes, bytes]:
        return (self._base ^ counter).to_bytes(12, "big"), counter.to_bytes(8, "big") + bytes([last])


def _cut(pieces: Iterable[bytes], size: int) -> Iterator[tuple[bytes, bool]]:
    """Regroup pieces into parts of exactly `size` bytes; the last, marked True, may be shorter but not empty."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) > size:
            yield bytes(buffer[:size]), False
            del buffer[:size]
    yield bytes(buffer), True


def new_weights_head(model: str, version: str, wrapped_key: bytes) -> SealedWeightsHead:
    """A head with a fresh salt."""
    return SealedWeightsHead(model, version, secrets.token_bytes(SALT_BYTES), wrapped_key)


def seal_weights(head: SealedWeightsHead, data_key: bytes, plaintext: Iterable[bytes]) -> Iterator[bytes]:
    """The sealed model piece by piece: first the head, then the chunks."""
    cipher = _WeightsCipher(data_key, head)
    yield head.to_bytes()
    for counter, (chunk, last) in enumerate(_cut(plaintext, WEIGHTS_CHUNK_BYTES)):
        nonce, aad = cipher.nonce_and_aad(counter, last)
        yield cipher.aead.encrypt(nonce, chunk, aad)


class WeightsOpener:
    """Opens the chunks behind a head: feed it bytes as they come, then `finish`. Raises OpenFailed, Truncated."""

    def __init__(self, head: SealedWeightsHead, data_key: bytes) -> None:
        self._cipher = _WeightsCipher(data_key, head)
        self._buffer = bytearray()
        self._counter = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The plaintext of every chunk that is known not to be the last."""
        self._buffer += data
        while len(self._buffer) > _SEALED_CHUNK_BYTES:
            sealed = bytes(self._buffer[:_SEALED_CHUNK_BYTES])
            del self._buffer[:_SEALED_CHUNK_BYTES]
            yield self._open(sealed, last=False)

    def finish(self) -> bytes:
        """The plaintext of the last chunk, which only the end of the bytes reveals."""
        if len(self._buffer) < TAG_BYTES:
            raise Truncated("sealed weights: expected a last chunk, got the end of the bytes")
        return self._open(bytes(self._buffer), last=True)

    def _open(self, sealed: bytes, *, last: bool) -> bytes:
        nonce, aad = self._cipher.nonce_and_aad(self._counter, last)
        self._counter += 1
        try:
            return self._cipher.aead.decrypt(nonce, sealed, aad)
        except InvalidTag:
            raise OpenFailed from None
