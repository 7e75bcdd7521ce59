"""Requests for the tests of both ways in, and docs/protocol.md a second time: what is inside can then be anything."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.protocol.payloads import ChatTask, Message, Request, Rest
from strongroom.protocol.requests import RequestOpener
from strongroom.protocol.suites import KEMKeyPair, Suite

ID, AT_MS, MODEL = b"i" * 16, 1_700_000_000_000, "tiny-decoder"
TASK = ChatTask(messages=[Message("user", "CANARY")])
DAY_MS = 86_400_000
LIVE = Request(b"s" * 32, False, TASK)
RESTING = Request(b"s" * 32, False, TASK, Rest(AT_MS + 90 * DAY_MS, single_use=True))

DATA_KEY, WRAPPED = b"d" * 32, b"wrapped data key"
ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd"
CONTEXT = {"purpose": "request", "tenant": "acme"}
ENTRY = b"\x82\x78" + bytes([len(ARN)]) + ARN.encode() + b"\xa2\x66tenant\x64acme\x67purpose\x67request"


def opener(suite: Suite = Suite.XWING, seed: bytes = b"k" * 32) -> RequestOpener:
    return RequestOpener(KEMKeyPair.from_seed(suite, seed))


def padded(body: bytes, size: int = 1024) -> bytes:
    return (len(body).to_bytes(4, "big") + body).ljust(size, b"\0")


def fields(*each: bytes) -> bytes:
    return b"".join(len(one).to_bytes(4, "big") + one for one in each)


def head(
    suite: int, key_id: bytes, *, at_ms: int = AT_MS, model: bytes = MODEL.encode(), magic: bytes = b"SRQ\1"
) -> bytes:
    return magic + suite.to_bytes(2, "big") + key_id + ID + at_ms.to_bytes(8, "big") + bytes([len(model)]) + model


ROUTED = (b"POST", b"/v1/sealed", b"application/vnd.strongroom.sealed-request")
KEY_ID = hashlib.sha256(b"strongroom key entry v1\0" + ENTRY).digest()


def hpke_message(plaintext: bytes, key: RequestOpener, front: bytes | None = None) -> bytes:
    front = front or head(key.pair.suite, key.configuration.key_id)
    info = b"strongroom request v1\0" + fields(*ROUTED, front, key.configuration.to_bytes())
    return front + key.pair.suite.hpke.encrypt(plaintext, key.pair.private.public_key(), info=info)


def envelope_message(
    plaintext: bytes, *, front: bytes = head(3, KEY_ID), salt: bytes = b"t" * 32, wrapped: bytes = WRAPPED
) -> bytes:
    bound = fields(*ROUTED, front, ENTRY, wrapped)
    info = b"strongroom envelope v1\0" + hashlib.sha256(bound).digest()
    extracted = hmac.digest(salt, DATA_KEY, "sha256")
    first = hmac.digest(extracted, info + b"\1", "sha256")
    second = hmac.digest(extracted, first + info + b"\2", "sha256")
    ciphertext = AESGCM(first).encrypt(second[:12], plaintext, bound)
    return front + salt + len(wrapped).to_bytes(2, "big") + wrapped + ciphertext
