"""The clear parts of every message: what the parent may see and route on. Nothing here names a plaintext."""

import re
import struct
from typing import Self

import msgspec

from strongroom.protocol.constants import DOCUMENT_DIGEST_BYTES, KEY_ID_BYTES, REQUEST_ID_BYTES, SALT_BYTES, TAG_BYTES
from strongroom.protocol.errors import Malformed
from strongroom.protocol.framing import Reader
from strongroom.protocol.ways import WayIn

_MODEL_ID = re.compile(rb"[a-z0-9][a-z0-9._-]{0,63}")
_REQUEST_MAGIC = b"SRQ\x01"
_REQUEST_HEAD = struct.Struct(f">4sH{KEY_ID_BYTES}s{REQUEST_ID_BYTES}sQB")  # then the model's id
_RESPONSE_MAGIC = b"SRS\x01"
_RESPONSE_HEAD = struct.Struct(f">4sH{REQUEST_ID_BYTES}s{SALT_BYTES}s{DOCUMENT_DIGEST_BYTES}s")
_WEIGHTS_MAGIC = b"SRW\x01"
WEIGHTS_CHUNK_BYTES = 1 << 20
MAX_WEIGHTS_BYTES = 1 << 42  # a manifest's files are at most 32 of 64 GiB each
MAX_WRAPPED_KEY_BYTES = 6144


class SealedRequestHead(msgspec.Struct, frozen=True):
    """The head of a sealed request: 63 bytes and the model's id. All of it is bound by the seal."""

    suite: WayIn
    key_id: bytes
    """32 bytes: of a key configuration for HPKE, of a key entry (`envelopes.entry_id`) for a KMS envelope."""
    request_id: bytes
    timestamp_ms: int
    model: str

    def to_bytes(self) -> bytes:
        """docs/protocol.md, sealed request."""
        model = self.model.encode()
        return b"".join(
            (
                _REQUEST_MAGIC,
                self.suite.to_bytes(2, "big"),
                self.key_id,
                self.request_id,
                self.timestamp_ms.to_bytes(8, "big"),
                len(model).to_bytes(1, "big"),
                model,
            )
        )

    @classmethod
    def read(cls, message: bytes) -> tuple[Self, int]:
        """The head of a sealed request and its length in bytes; raise Malformed or Unsupported."""
        if len(message) < _REQUEST_HEAD.size:
            raise Malformed(f"sealed request: expected at least {_REQUEST_HEAD.size} bytes, got {len(message)}")
        magic, suite, key_id, request_id, timestamp_ms, model_bytes = _REQUEST_HEAD.unpack_from(message)
        if magic != _REQUEST_MAGIC:
            raise Malformed(f"sealed request: expected it to begin with {_REQUEST_MAGIC.hex()}, got {magic.hex()}")
        way_in, end = WayIn.from_id(suite), _REQUEST_HEAD.size + model_bytes
        model = message[_REQUEST_HEAD.size : end]
        if len(model) != model_bytes or not _MODEL_ID.fullmatch(model):
            raise Malformed("sealed request: expected a model id of lower-case letters, digits and . _ -")
        return cls(way_in, key_id, request_id, timestamp_ms, model.decode()), end


class SealedResponseHead(msgspec.Struct, frozen=True):
    """The head of a sealed response: 102 bytes, the enclave's salt among them (R2)."""

    SIZE_BYTES = _RESPONSE_HEAD.size

    suite: WayIn
    request_id: bytes
    salt: bytes
    document_digest: bytes
    """SHA-384 of the signed payload of the answering enclave's cached document (R14)."""

    def to_bytes(self) -> bytes:
        """docs/protocol.md, sealed response."""
        return b"".join(
            (_RESPONSE_MAGIC, self.suite.to_bytes(2, "big"), self.request_id, self.salt, self.document_digest)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse exactly SIZE_BYTES; raise Malformed or Unsupported."""
        if len(data) != cls.SIZE_BYTES:
            raise Malformed(f"sealed response: expected a head of {cls.SIZE_BYTES} bytes, got {len(data)}")
        magic, suite, request_id, salt, document_digest = _RESPONSE_HEAD.unpack(data)
        if magic != _RESPONSE_MAGIC:
            raise Malformed(f"sealed response: expected it to begin with {_RESPONSE_MAGIC.hex()}, got {magic.hex()}")
        return cls(WayIn.from_id(suite), request_id, salt, document_digest)


class SealedWeightsHead(msgspec.Struct, frozen=True):
    """The head of a sealed model: whose weights they are, how long, and the data key, wrapped by KMS, that opens them.

    The length fixes where each chunk lies, so that any run of chunks (a segment) can travel on its own.
    """

    model: str
    version: str
    salt: bytes
    plaintext_bytes: int
    wrapped_key: bytes

    @property
    def chunks(self) -> int:
        """The number of chunks: one for each MiB of plaintext that is begun."""
        return -(-self.plaintext_bytes // WEIGHTS_CHUNK_BYTES)

    def segment_bytes(self, first: int, end: int) -> int:
        """The length of the sealed chunks from `first` to before `end`, tags included."""
        plaintext_bytes = min(end * WEIGHTS_CHUNK_BYTES, self.plaintext_bytes) - first * WEIGHTS_CHUNK_BYTES
        return plaintext_bytes + (end - first) * TAG_BYTES

    def to_bytes(self) -> bytes:
        """docs/protocol.md, sealed weights."""
        names = b"".join(len(name).to_bytes(1, "big") + name.encode() for name in (self.model, self.version))
        sizes = self.plaintext_bytes.to_bytes(8, "big") + len(self.wrapped_key).to_bytes(2, "big")
        return b"".join((_WEIGHTS_MAGIC, names, self.salt, sizes, self.wrapped_key))

    @classmethod
    def read(cls, data: bytes) -> tuple[Self, int]:
        """The head at the front of a sealed model and its length in bytes; raise Malformed."""
        reader = Reader(data, "sealed weights")
        reader.magic(_WEIGHTS_MAGIC)
        names = [reader.take(reader.integer(1)) for _ in range(2)]
        if not all(_MODEL_ID.fullmatch(name) for name in names):
            raise Malformed("sealed weights: expected a model id and version of lower-case letters, digits and . _ -")
        salt, plaintext_bytes, key_bytes = reader.take(SALT_BYTES), reader.integer(8), reader.integer(2)
        if not 1 <= plaintext_bytes <= MAX_WEIGHTS_BYTES:
            raise Malformed(f"sealed weights: expected 1..{MAX_WEIGHTS_BYTES} bytes of weights, got {plaintext_bytes}")
        if not 1 <= key_bytes <= MAX_WRAPPED_KEY_BYTES:
            expected = f"a wrapped key of 1..{MAX_WRAPPED_KEY_BYTES} bytes"
            raise Malformed(f"sealed weights: expected {expected}, got {key_bytes}")
        head = cls(names[0].decode(), names[1].decode(), salt, plaintext_bytes, reader.take(key_bytes))
        return head, reader.position

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a head with nothing behind it; raise Malformed."""
        head, size = cls.read(data)
        if size != len(data):
            raise Malformed(f"sealed weights: expected a head of {size} bytes, got {len(data)}")
        return head


MAX_REQUEST_HEAD_BYTES = 4 + 2 + KEY_ID_BYTES + REQUEST_ID_BYTES + 8 + 1 + 64
MAX_WEIGHTS_HEAD_BYTES = 4 + 65 + 65 + SALT_BYTES + 8 + 2 + MAX_WRAPPED_KEY_BYTES
