"""A long answer in chunks of 64 KiB, each sealed and then opened, three times."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.exchange.by_hand import DIGEST
from strongroom.protocol.constants import MEDIA_SEALED_STREAM
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.responses import ResponseOpener, ResponseSealer
from strongroom.protocol.ways import WayIn

CHUNK_BYTES: Final = 64 << 10
BODY_BYTES: Final = CHUNK_BYTES - 4
"""What fills a chunk, behind its length."""
_REQUEST: Final = SealedRequestHead(WayIn.XWING, bytes(32), bytes(16), 0, "m").to_bytes().ljust(2048, b"\0")


def bare(bodies: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """AES-256-GCM with a counter, four bytes less in a chunk."""
    aead, base = AESGCM(secrets.token_bytes(32)), secrets.randbits(96)
    for counter, body in enumerate(bodies):
        nonce, aad = (base ^ counter).to_bytes(12, "big"), counter.to_bytes(8, "big")
        yield aead.decrypt(nonce, aead.encrypt(nonce, body, aad), aad)


def by_hand(bodies: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """The same frames, unchecked: length and body in one piece, frame's head and ciphertext in one piece."""
    aead, base = AESGCM(secrets.token_bytes(32)), secrets.randbits(96)
    for counter, body in enumerate(bodies):
        nonce, aad = (base ^ counter).to_bytes(12, "big"), counter.to_bytes(8, "big") + b"\0"
        ciphertext = aead.encrypt(nonce, len(body).to_bytes(4, "big") + body, aad)
        chunk = b"\0" + len(ciphertext).to_bytes(4, "big") + ciphertext
        yield memoryview(aead.decrypt(nonce, memoryview(chunk)[5:], aad))[4:]


def sealing(bodies: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """The protocol's own: one sealer, one opener."""
    secret = secrets.token_bytes(32)
    sealer = ResponseSealer(secret, _REQUEST, MEDIA_SEALED_STREAM, DIGEST)
    reader = ResponseOpener(secret, _REQUEST, MEDIA_SEALED_STREAM)
    reader.feed(sealer.head)
    for body in bodies:
        yield from reader.feed(sealer.seal(body, last=False))
