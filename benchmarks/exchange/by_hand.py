"""The baseline: the primitives, called one after the other for this one exchange, with the same bytes on the wire.

Nothing is parsed, checked, bounded or refused but by the tags. All that an exchange has in common with the next one is
made beforehand.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.suites import load_public_key

AT_MS: Final = 1_700_000_000_000
MODEL: Final = b"tiny-decoder"
DIGEST: Final = bytes(48)
MEDIA: Final = b"application/vnd.strongroom.sealed-response"
_ROUTED: Final = (b"POST", b"/v1/sealed", b"application/vnd.strongroom.sealed-request")


class Sealed(NamedTuple):
    """A message on the wire and what opened it: a request's plaintext or a response's."""

    message: bytes
    plaintext: bytes


class ByHand:
    """One client and one enclave, the key of the one loaded by the other."""

    def __init__(self, opener: RequestOpener) -> None:
        pair, configuration = opener.pair, opener.configuration
        self._suite, self._private = pair.suite.hpke, pair.private
        self._public = load_public_key(pair.suite, pair.public)
        self._front = b"SRQ\1" + pair.suite.to_bytes(2, "big") + configuration.key_id
        self._back = AT_MS.to_bytes(8, "big") + bytes([len(MODEL)]) + MODEL
        self._head_bytes = len(self._front) + 16 + len(self._back)
        routed = b"strongroom request v1\0" + _fields(*_ROUTED) + self._head_bytes.to_bytes(4, "big")
        self._info, self._named = routed + self._front, self._back + _fields(configuration.to_bytes())
        self._answered = b"SRS\1" + pair.suite.to_bytes(2, "big")

    def request(self, body: bytes, request_id: bytes) -> Sealed:
        """A body that fills its bucket, sealed and opened."""
        info = self._info + request_id + self._named
        head = self._front + request_id + self._back
        message = head + self._suite.encrypt(len(body).to_bytes(4, "big") + body, self._public, info=info)
        return Sealed(message, self._suite.decrypt(memoryview(message)[len(head) :], self._private, info=info))

    def response(self, body: bytes, request: bytes, request_id: bytes, secret: bytes) -> Sealed:
        """A whole answer of one chunk; its body fills a bucket, or else two KiB."""
        head = self._answered + request_id + secrets.token_bytes(32) + DIGEST
        aead, nonce = _schedule(secret, request, head)
        padded = (len(body).to_bytes(4, "big") + body).ljust(2048, b"\0")
        ciphertext = aead.encrypt(nonce, padded, _AAD)
        message = b"".join((head, b"\1", len(ciphertext).to_bytes(4, "big"), ciphertext))
        aead, nonce = _schedule(secret, request, head)
        return Sealed(message, aead.decrypt(nonce, memoryview(message)[len(head) + 5 :], _AAD))


_AAD: Final = bytes(8) + b"\1"


def _fields(*each: bytes) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in each)


def _schedule(secret: bytes, request: bytes, head: bytes) -> tuple[AESGCM, bytes]:
    bound = hashlib.sha256(_fields(request[:8192], request[-16:], head, MEDIA)).digest()
    material = HKDF(SHA256(), 44, salt=head[22:54], info=b"strongroom response v1\0" + bound).derive(secret)
    return AESGCM(material[:32]), material[32:]
