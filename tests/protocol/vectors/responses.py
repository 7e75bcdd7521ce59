"""Sealed responses, whole and streamed: docs/protocol.md, sealed response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.protocol.vectors import answers, tasks
from tests.protocol.vectors.exchange import RESPONSE_SALT, request
from tests.protocol.vectors.frames import REQUEST_ID
from tests.protocol.vectors.receipts import DOCUMENT_DIGEST, answer_receipt
from tests.protocol.vectors.wire import (
    FRAME,
    LAST,
    MEDIA_STREAM,
    MEDIA_WHOLE,
    Cipher,
    canonical,
    padded,
    prefixed,
    sha256,
)

HEAD_BYTES, CHUNK_HEAD_BYTES = 102, 5


@dataclass(frozen=True)
class Response:
    """An answer, sound unless changed; ``plaintexts`` are the padded bodies of its chunks."""

    plaintexts: Sequence[bytes]
    stream: bool = False
    magic: bytes = b"SRS\1"
    suite: int = 2
    request_id: bytes = REQUEST_ID
    secret: bytes = tasks.SECRET
    document_digest: bytes = DOCUMENT_DIGEST
    request: bytes | None = None
    media_type: bytes | None = None
    first_counter: int = 0

    @property
    def asked(self) -> bytes:
        """The sealed request that the asker sent."""
        return request(self.stream)

    @property
    def head(self) -> bytes:
        """magic ‖ suite ‖ request id ‖ salt ‖ document digest."""
        return b"".join(
            (self.magic, self.suite.to_bytes(2, "big"), self.request_id, RESPONSE_SALT, self.document_digest)
        )

    def chunks(self, ends: bool = True) -> list[bytes]:
        """The chunks; with the flag of the last one unless it has no end."""
        message = self.asked if self.request is None else self.request
        media_type = (MEDIA_STREAM if self.stream else MEDIA_WHOLE) if self.media_type is None else self.media_type
        bound = prefixed(message[:8192], message[-16:], self.head, media_type)
        cipher = Cipher(self.secret, RESPONSE_SALT, b"strongroom response v1\0" + sha256(bound))
        last = len(self.plaintexts) - 1 if ends else len(self.plaintexts)
        numbered = [(at, at == last, plaintext) for at, plaintext in enumerate(self.plaintexts)]
        return [framed(is_last, cipher.chunk(at + self.first_counter, is_last, text)) for at, is_last, text in numbered]

    def to_bytes(self) -> bytes:
        """head ‖ chunk*."""
        return self.head + b"".join(self.chunks())


def asker(stream: bool) -> dict[str, object]:
    """What the asker of `request` has: what was sent, and what the answer is opened and held against."""
    media_type = (MEDIA_STREAM if stream else MEDIA_WHOLE).decode()
    return {"task": tasks.CHAT, "secret": tasks.SECRET, "request": request(stream), "media_type": media_type}


def framed(last: bool, ciphertext: bytes, size: int | None = None) -> bytes:
    """flag ‖ length ‖ ciphertext."""
    return bytes([last]) + (len(ciphertext) if size is None else size).to_bytes(4, "big") + ciphertext


def whole(events: Sequence[object] | None = None) -> Response:
    """A whole answer: one chunk."""
    return Response([padded(canonical(list(answers.whole(answer_receipt()) if events is None else events)), LAST)])


def streamed(receipt: bytes | None = None, document_digest: bytes = DOCUMENT_DIGEST) -> Response:
    """A streamed one."""
    *frames, last = [canonical(chunk) for chunk in answers.streamed(receipt or answer_receipt())]
    plaintexts = [*(padded(body, FRAME) for body in frames), padded(last, LAST)]
    return Response(plaintexts, stream=True, document_digest=document_digest)
