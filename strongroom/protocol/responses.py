"""Sealed responses, whole or streamed, without I/O.

A response is head ‖ chunk*; a chunk is flag (1) ‖ length (4) ‖ ciphertext, AES-256-GCM under

    key ‖ base nonce = HKDF-SHA256(secret of the request, salt = the head's 32 enclave-random bytes,
                                   info = label ‖ SHA-256(prefixed(sealed request, head, media type)))

with nonce = base XOR counter and AAD = counter ‖ flag. The salt keeps a replayed request from repeating a (key, nonce)
(review R2); the flag of the last chunk is 1, so that truncation is an error.
"""

import hashlib
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.protocol import padding
from strongroom.protocol.constants import LABEL_RESPONSE, MAX_CHUNK_BYTES, SALT_BYTES, TAG_BYTES
from strongroom.protocol.errors import Malformed, OpenFailed, TooLarge, Truncated
from strongroom.protocol.framing import prefixed
from strongroom.protocol.messages import SealedRequestHead, SealedResponseHead

_CHUNK_HEAD_BYTES: Final = 5
_KEY_BYTES, _NONCE_BYTES = 32, 12
MAX_CHUNK_BODY_BYTES: Final = MAX_CHUNK_BYTES - (64 << 10) - 4
"""The longest body of one chunk: padded and sealed it stays within MAX_CHUNK_BYTES."""


class _ChunkCipher:
    """The key schedule and the counter, the same on both sides."""

    def __init__(self, secret: bytes, request: bytes, head: SealedResponseHead, media_type: str) -> None:
        transcript = hashlib.sha256(prefixed(request, head.to_bytes(), media_type.encode())).digest()
        hkdf = HKDF(SHA256(), _KEY_BYTES + _NONCE_BYTES, salt=head.salt, info=LABEL_RESPONSE + transcript)
        material = hkdf.derive(secret)
        self._aead = AESGCM(material[:_KEY_BYTES])
        self._base = int.from_bytes(material[_KEY_BYTES:], "big")
        self._counter = 0

    def step(self, last: bool) -> tuple[AESGCM, bytes, bytes]:
        """The AEAD with the next nonce and AAD; each is handed out once."""
        nonce = (self._base ^ self._counter).to_bytes(_NONCE_BYTES, "big")
        aad = self._counter.to_bytes(8, "big") + bytes([last])
        self._counter += 1
        return self._aead, nonce, aad


class ResponseSealer:
    """Seals the answer to one opened request; `head` goes out first, then the chunks in order."""

    def __init__(self, secret: bytes, request: bytes, media_type: str) -> None:
        head, _ = SealedRequestHead.read(request)
        response_head = SealedResponseHead(head.suite, head.request_id, secrets.token_bytes(SALT_BYTES))
        self.head = response_head.to_bytes()
        self._cipher = _ChunkCipher(secret, request, response_head, media_type)
        self._finished = False

    def seal(self, body: bytes, *, last: bool, smallest: int = padding.FRAME_BUCKET_BYTES) -> bytes:
        """One chunk; `smallest` is the least padded size in bytes. Nothing can follow the last.

        Raises TooLarge for a body of more than MAX_CHUNK_BODY_BYTES, which no opener would take.
        """
        if len(body) > MAX_CHUNK_BODY_BYTES:
            raise TooLarge(
                f"sealed response: expected at most {MAX_CHUNK_BODY_BYTES} bytes in a chunk, got {len(body)}"
            )
        if self._finished:
            raise Malformed("sealed response: expected nothing after the last chunk")
        self._finished = last
        aead, nonce, aad = self._cipher.step(last)
        ciphertext = aead.encrypt(nonce, padding.pad(body, smallest), aad)
        return bytes([last]) + len(ciphertext).to_bytes(4, "big") + ciphertext


class ResponseOpener:
    """Opens the answer to one request: feed it bytes as they come, then `finish`.

    No plaintext leaves before its tag verified. Raises Malformed, TooLarge, OpenFailed; Truncated at `finish`.
    """

    def __init__(self, secret: bytes, request: bytes, media_type: str) -> None:
        self._secret, self._request, self._media_type = secret, request, media_type
        self._buffer = bytearray()
        self._cipher: _ChunkCipher | None = None
        self._finished = False

    def feed(self, data: bytes) -> list[bytes]:
        """The bodies of the chunks that these bytes complete."""
        self._buffer += data
        if self._cipher is None and not self._read_head():
            return []
        bodies = []
        while (body := self._next_chunk()) is not None:
            bodies.append(body)
        if self._finished and self._buffer:
            raise Malformed("sealed response: expected nothing after the last chunk")
        return bodies

    def finish(self) -> None:
        """The transport has ended: raise Truncated unless the last chunk was seen."""
        if not self._finished:
            raise Truncated("sealed response: expected a last chunk, got the end of the stream; ask again")

    def _read_head(self) -> bool:
        size = SealedResponseHead.SIZE_BYTES
        if len(self._buffer) < size:
            return False
        head = SealedResponseHead.from_bytes(bytes(self._buffer[:size]))
        asked, _ = SealedRequestHead.read(self._request)
        if head.request_id != asked.request_id or head.suite != asked.suite:
            raise OpenFailed
        del self._buffer[:size]
        self._cipher = _ChunkCipher(self._secret, self._request, head, self._media_type)
        return True

    def _next_chunk(self) -> bytes | None:
        if self._finished or len(self._buffer) < _CHUNK_HEAD_BYTES:
            return None
        flag, size = self._buffer[0], int.from_bytes(self._buffer[1:_CHUNK_HEAD_BYTES], "big")
        if flag > 1:
            raise Malformed(f"sealed response: expected a flag of 0 or 1, got {flag}")
        if not TAG_BYTES < size <= MAX_CHUNK_BYTES:
            raise TooLarge(f"sealed response: expected a chunk of at most {MAX_CHUNK_BYTES} bytes, got {size}")
        end = _CHUNK_HEAD_BYTES + size
        if len(self._buffer) < end:
            return None
        ciphertext = bytes(self._buffer[_CHUNK_HEAD_BYTES:end])
        del self._buffer[:end]
        return self._open(ciphertext, last=bool(flag))

    def _open(self, ciphertext: bytes, *, last: bool) -> bytes:
        assert self._cipher is not None  # noqa: S101 - _read_head has run, for the type checker
        aead, nonce, aad = self._cipher.step(last)
        try:
            padded = aead.decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            raise OpenFailed from None
        self._finished = last
        return padding.unpad(padded)
