"""One request and its response, four times: from the bare primitives to whole tasks and answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.exchange.by_hand import AT_MS, DIGEST, MODEL, ByHand, Sealed
from benchmarks.exchange.samples import Sample
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE
from strongroom.protocol.events import decode_events, encode_events
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import Event, InferTask, Outputs, Request
from strongroom.protocol.requests import RequestOpener, seal_body, seal_request
from strongroom.protocol.responses import ResponseOpener, ResponseSealer
from strongroom.protocol.suites import KEMKeyPair, Suite, load_public_key

_INFO_BYTES: Final = 1_400  # as long as that of a request


def fresh_opener() -> RequestOpener:
    """The enclave's side of a new key of the default suite; loading keys is part of no exchange."""
    return RequestOpener(KEMKeyPair.from_seed(Suite.XWING, secrets.token_bytes(32)))


def bare(opener: RequestOpener) -> Callable[[Sample], tuple[bytes, bytes]]:
    """Four calls on loose pieces: HPKE and AES-256-GCM, to and fro. No message is put together, no key derived."""
    suite, private = opener.pair.suite.hpke, opener.pair.private
    public = load_public_key(opener.pair.suite, opener.pair.public)
    info, nonce = secrets.token_bytes(_INFO_BYTES), secrets.token_bytes(12)
    aead = AESGCM(secrets.token_bytes(32))

    def exchange(sample: Sample) -> tuple[bytes, bytes]:
        asked = suite.decrypt(suite.encrypt(sample.plaintext, public, info=info), private, info=info)
        return asked, aead.decrypt(nonce, aead.encrypt(nonce, sample.plaintext, None), None)

    return exchange


def by_hand(opener: RequestOpener) -> Callable[[Sample], tuple[bytes, Sealed]]:
    """The baseline: the same bytes on the wire, and nothing else (`by_hand.py`)."""
    hand = ByHand(opener)

    def exchange(sample: Sample) -> tuple[bytes, Sealed]:
        request_id, secret = secrets.token_bytes(16), secrets.token_bytes(32)
        asked = hand.request(sample.body, request_id)
        return asked.plaintext, hand.response(sample.body, asked.message, request_id, secret)

    return exchange


def sealing(opener: RequestOpener) -> Callable[[Sample], tuple[memoryview, list[memoryview]]]:
    """Bytes to bytes, as the client and the enclave do it: every check of the protocol."""
    configuration = opener.configuration

    def exchange(sample: Sample) -> tuple[memoryview, list[memoryview]]:
        request_id, secret = secrets.token_bytes(16), secrets.token_bytes(32)
        head = SealedRequestHead(configuration.suite.way_in, configuration.key_id, request_id, AT_MS, MODEL.decode())
        message = seal_body((sample.body,), configuration, head)
        _, asked = opener.open_body(message)
        return asked, _respond(secret, message, sample.body)

    return exchange


def whole(opener: RequestOpener) -> Callable[[Sample], list[Event]]:
    """Task to task and answer to answer: the same with canonical CBOR on both sides."""
    configuration, model = opener.configuration, MODEL.decode()

    def exchange(sample: Sample) -> list[Event]:
        asked = Request(secrets.token_bytes(32), False, sample.task)
        message = seal_request(asked, configuration, request_id=secrets.token_bytes(16), at_ms=AT_MS, model=model)
        _, request = opener.open(message)
        assert isinstance(request.task, InferTask)
        answer = encode_events([Outputs(request.task.tensors)])
        [body] = _respond(request.secret, message, answer)
        return decode_events(body)

    return exchange


def _respond(secret: bytes, message: bytes, body: bytes) -> list[memoryview]:
    sealer = ResponseSealer(secret, message, MEDIA_SEALED_RESPONSE, DIGEST)
    reader = ResponseOpener(secret, message, MEDIA_SEALED_RESPONSE)
    reader.feed(sealer.head)
    bodies = reader.feed(sealer.seal(body, last=True))
    reader.finish()
    return bodies
