"""Receipts and checkpoints: docs/receipts.md."""

from __future__ import annotations

from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.attestation.vectors import cbor
from tests.attestation.vectors.chains import MODULE_ID
from tests.attestation.vectors.documents import fields
from tests.protocol.vectors import answers, tasks
from tests.protocol.vectors.exchange import (
    ALL_PCRS,
    CATALOGUE_SHA384,
    KEY_LIST,
    point,
    statement,
)
from tests.protocol.vectors.frames import MODEL, REQUEST_ID
from tests.protocol.vectors.seeds import AT_MS, receipt_key
from tests.protocol.vectors.wire import canonical, prefixed, sha256, sha384

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
DOCUMENT_DIGEST = sha384(cbor.indefinite_map(fields(user_data=statement(KEY_LIST, point()), pcrs=ALL_PCRS).items()))
"""SHA-384 of the payload of `client_document()`."""
EMPTY_ROOT = sha256()
BOOT_ID = sha256(b"strongroom boot v1\0", prefixed(MODULE_ID.encode(), point()))
HEAD = bytes.fromhex("d28443a10126a0")

Claims = dict[object, object]


def claims(**changes: object) -> Claims:
    """Sound claims of the first receipt of a boot, in the order of their encoded keys."""
    content = answers.content(answers.whole(b""))
    salts = answers.salts()
    sound: dict[str, tuple[int, object]] = {
        "iat": (6, (AT_MS + 1500) // 1000),
        "cti": (7, REQUEST_ID),
        "profile": (265, "urn:strongroom:receipt:v1"),
        "model": (-65537, MODEL.decode()),
        "version": (-65538, "1"),
        "sequence": (-65545, 0),
        "duration": (-65546, 1500),
        "time": (-70001, AT_MS),
        "manifest": (-70002, sha384(b"a manifest")),
        "catalogue": (-70003, CATALOGUE_SHA384),
        "document": (-70004, DOCUMENT_DIGEST),
        "keys": (-70005, sha384(KEY_LIST)),
        "receipt_key": (-70006, point()),
        "policies": (-70007, {"models": sha384(b"policy 1")}),
        "kms_leg": (-70008, 2),
        "request": (-70009, sha256(salts["request"], canonical(tasks.CHAT))),
        "response": (-70010, sha256(salts["response"], content)),
        "boot": (-70011, BOOT_ID),
        "checkpoint": (-70012, [0, EMPTY_ROOT]),
        "outcome": (-70013, "complete"),
        "generated": (-70014, 4),
        "sent": (-70015, 4),
        "verdicts": (-70016, []),
    }
    return {key: changes.get(name, value) for name, (key, value) in sound.items()}


def signed(payload: bytes, *, label: str = "enclave", high_s: bool = False) -> bytes:
    """A COSE_Sign1 under ES256, deterministic (RFC 6979)."""
    return HEAD + cbor.encode(payload) + cbor.encode(signature(payload, label=label, high_s=high_s))


def signature(payload: bytes, *, label: str = "enclave", high_s: bool = False) -> bytes:
    """r ‖ s over the Sig_structure, s in the lower half unless told otherwise."""
    to_sign = cbor.encode(["Signature1", bytes.fromhex("a10126"), b"", payload])
    der = receipt_key(label).sign(to_sign, ec.ECDSA(SHA256(), deterministic_signing=True))
    r, s = decode_dss_signature(der)
    s = max(s, ORDER - s) if high_s else min(s, ORDER - s)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def receipt(**changes: object) -> bytes:
    """A signed receipt with changed claims."""
    return signed(cbor.encode(claims(**changes)))


@cache
def answer_receipt() -> bytes:
    """The receipt that the sound answers carry."""
    return receipt()
