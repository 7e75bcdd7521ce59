"""Sealed responses, whole or streamed, without I/O.

A response is head ‖ chunk*; a chunk is flag (1) ‖ length (4) ‖ ciphertext, AES-256-GCM under

    key ‖ base nonce = HKDF-SHA256(secret of the request, salt = the head's 32 enclave-random bytes,
                                   info = label ‖ SHA-256(prefixed(front, tag, head, media type)))

with nonce = base XOR counter and AAD = counter ‖ flag. Front and tag are the first 8 KiB and the last 16 bytes of the
sealed request: all that it says in the clear, and the tag that vouches for the rest. Hashing all of it would cost more
than every other step together. The salt keeps a replayed request from repeating a (key, nonce) (review R2); the flag of
the last chunk is 1, so that truncation is an error.
"""

import hashlib
import secrets
import struct
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

_CHUNK_HEAD: Final = struct.Struct(">BI")
_CHUNK_HEAD_BYTES: Final = _CHUNK_HEAD.size
_KEY_BYTES, _NONCE_BYTES = 32, 12
_FRONT_BYTES: Final = 8 << 10  # head, salt and wrapped data key have 6,305 bytes at most, head and enc 1,247
_FLAGS: Final = (b"\0", b"\1")
_SMALLEST: Final = (padding.FRAME_BUCKET_BYTES, padding.ANSWER_BUCKET_BYTES)
"""The least padded size of a chunk, of the last one: an answer's end brings its receipt."""
MAX_CHUNK_BODY_BYTES: Final = MAX_CHUNK_BYTES - (64 << 10) - 4
"""The longest body of one chunk: padded and sealed it stays within MAX_CHUNK_BYTES."""


class _ChunkCipher:
    """The key schedule and the counter, the same on both sides."""

    def __init__(self, secret: bytes, request: bytes, head: SealedResponseHead, media_type: str) -> None:
        bound = prefixed(request[:_FRONT_BYTES], request[-TAG_BYTES:], head.to_bytes(), media_type.encode())
        info = LABEL_RESPONSE + hashlib.sha256(bound).digest()
        hkdf = HKDF(SHA256(), _KEY_BYTES + _NONCE_BYTES, salt=head.salt, info=info)
        material = hkdf.derive(secret)
        self._aead = AESGCM(material[:_KEY_BYTES])
        self._base = int.from_bytes(material[_KEY_BYTES:], "big")
        self._counter = 0

    def step(self, last: bool) -> tuple[AESGCM, bytes, bytes]:
        """The AEAD with the next nonce and AAD; each is handed out once."""
        nonce = (self._base ^ self._counter).to_bytes(_NONCE_BYTES, "big")
        aad = self._counter.to_bytes(8, "big") + _FLAGS[last]
        self._counter += 1
        return self._aead, nonce, aad


class ResponseSealer:
    """Seals the answer to one opened request; `head` goes out first, then the chunks in order."""

    def __init__(self, secret: bytes, request: bytes, media_type: str, document_digest: bytes) -> None:
        """`request` is the sealed request; `document_digest` (48 bytes) names the enclave's cached document (R14)."""
        asked, _ = SealedRequestHead.read(request)
        head = SealedResponseHead(asked.suite, asked.request_id, secrets.token_bytes(SALT_BYTES), document_digest)
        self.head = head.to_bytes()
        self.salt = head.salt
        """32 fresh random bytes, which the salts of the receipt derive from as well."""
        self._cipher = _ChunkCipher(secret, request, head, media_type)
        self._finished = False

    def seal(self, *body: bytes, last: bool) -> bytes:
        """One chunk, padded to its bucket; its body may come in pieces. Nothing can follow the last.

        Raises TooLarge for a body of more than MAX_CHUNK_BODY_BYTES, which no opener would take.
        """
        if (size := sum(map(len, body))) > MAX_CHUNK_BODY_BYTES:
            raise TooLarge(f"sealed response: expected at most {MAX_CHUNK_BODY_BYTES} bytes in a chunk, got {size}")
        if self._finished:
            raise Malformed("sealed response: expected nothing after the last chunk")
        self._finished = last
        aead, nonce, aad = self._cipher.step(last)
        ciphertext = aead.encrypt(nonce, padding.pad(*body, smallest=_SMALLEST[last]), aad)
        return _CHUNK_HEAD.pack(last, len(ciphertext)) + ciphertext


class ResponseOpener:
    """Opens the answer to one request: feed it bytes as they come, then `finish`.

    No plaintext leaves before its tag verified. Raises Malformed, Unsupported, TooLarge, OpenFailed; Truncated at
    `finish`.
    """

    def __init__(self, secret: bytes, request: bytes, media_type: str) -> None:
        self.head: SealedResponseHead | None = None
        """What the answer says of its enclave; authentic once the first chunk has opened."""
        self._secret, self._request, self._media_type = secret, request, media_type
        self._waiting = bytearray()
        self._cipher: _ChunkCipher | None = None
        self._finished, self._refused = False, False

    def feed(self, data: bytes) -> list[memoryview]:
        """The bodies of the chunks that these bytes complete. After a refusal there are none."""
        if self._refused:
            raise OpenFailed
        self._refused = True
        if self._waiting:
            self._waiting += data
            with memoryview(self._waiting) as received:
                bodies, read = self._open_chunks(received)
            del self._waiting[:read]
        else:
            bodies, read = self._open_chunks(memoryview(data))
            if read < len(data):
                self._waiting += data[read:]
        self._refused = False
        return bodies

    def finish(self) -> None:
        """The transport has ended: raise Truncated unless the last chunk was seen, OpenFailed after a refusal."""
        if self._refused:
            raise OpenFailed
        if not self._finished:
            raise Truncated("sealed response: expected a last chunk, got the end of the stream; ask again")

    def _open_chunks(self, received: memoryview) -> tuple[list[memoryview], int]:
        """The bodies of whole chunks at the front, and how many bytes are done with."""
        bodies: list[memoryview] = []
        at = self._read_head(received) if self._cipher is None else 0
        if self._cipher is not None:
            while at < len(received) and (end := self._end_of_chunk(received, at)):
                bodies.append(self._open(received[at:end], self._cipher))
                at = end
        return bodies, at

    def _read_head(self, received: memoryview) -> int:
        size = SealedResponseHead.SIZE_BYTES
        if len(received) < size:
            return 0
        head = SealedResponseHead.from_bytes(bytes(received[:size]))
        asked, _ = SealedRequestHead.read(self._request)
        if head.request_id != asked.request_id or head.suite != asked.suite:
            raise OpenFailed
        self.head = head
        self._cipher = _ChunkCipher(self._secret, self._request, head, self._media_type)
        return size

    def _end_of_chunk(self, received: memoryview, at: int) -> int | None:
        """Where the chunk ends that begins at `at`, None when not all of it is there."""
        if self._finished:
            raise Malformed("sealed response: expected nothing after the last chunk")
        content = at + _CHUNK_HEAD_BYTES
        if len(received) < content:
            return None
        flag, size = _CHUNK_HEAD.unpack_from(received, at)
        if flag > 1:
            raise Malformed(f"sealed response: expected a flag of 0 or 1, got {flag}")
        if not TAG_BYTES < size <= MAX_CHUNK_BYTES:
            raise TooLarge(f"sealed response: expected a chunk of at most {MAX_CHUNK_BYTES} bytes, got {size}")
        end = content + size
        return end if end <= len(received) else None

    def _open(self, chunk: memoryview, cipher: _ChunkCipher) -> memoryview:
        last = chunk[0] == 1
        aead, nonce, aad = cipher.step(last)
        try:
            padded = aead.decrypt(nonce, chunk[_CHUNK_HEAD_BYTES:], aad)
        except InvalidTag:
            raise OpenFailed from None
        self._finished = last
        return padding.unpad(padded, _SMALLEST[last])
