"""One exchange from evidence to receipt, in sound messages: what the other vectors depart from."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.attestation.vectors.documents import PCRS, document
from tests.protocol.vectors import key_lists, requests, tasks
from tests.protocol.vectors.seeds import derived, receipt_key
from tests.protocol.vectors.wire import prefixed, sha384

PURPOSE = b"strongroom client keys"
RESPONSE_SALT = derived("response salt", 32)
KEY_LIST = key_lists.SOUND.to_bytes()
CATALOGUE_SHA384 = sha384(b"the labelled digest of a catalogue")
CONFIGURATION_SHA384 = sha384(b"the labelled digest of a configuration")
MEASURED = {16: sha384(bytes(48), CATALOGUE_SHA384), 17: sha384(bytes(48), CONFIGURATION_SHA384)}
ALL_PCRS = PCRS | MEASURED
TEXT = ("The report ", "is due ", "tomorrow. 🙂")
END = {"event": "end", "finish": "stop", "prompt_tokens": 24, "completion_tokens": 7}


def point(label: str = "enclave") -> bytes:
    """A receipt key as evidence has it."""
    return receipt_key(label).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def statement(keys: bytes, receipt_point: bytes, *, purpose: bytes = PURPOSE, version: int = 1) -> bytes:
    """`user_data` of a client document."""
    return bytes([len(purpose)]) + purpose + bytes([version]) + sha384(sha384(keys), receipt_point)


@cache
def client_document() -> bytes:
    """The enclave's cached document, under the root of the conformance vectors."""
    return document(user_data=statement(KEY_LIST, point()), pcrs=ALL_PCRS)


def evidence(signed: bytes, keys: bytes = KEY_LIST, receipt_point: bytes | None = None) -> bytes:
    """The joint answer."""
    return b"SRE\1" + prefixed(signed, keys, point() if receipt_point is None else receipt_point)


@cache
def request(stream: bool = False) -> bytes:
    """The sealed request whose answers are in the vectors."""
    return requests.sound(key_lists.X25519, tasks.asked(stream=stream)).to_bytes()
