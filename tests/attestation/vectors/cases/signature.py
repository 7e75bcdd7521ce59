"""Rules 6 and 8: the signature, its encoding and what it covers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from cryptography.hazmat.primitives.hashes import SHA256

from tests.attestation.vectors import cbor, der
from tests.attestation.vectors.case import Case, accepted, rejected
from tests.attestation.vectors.cbor import BYTES, encode, long_head
from tests.attestation.vectors.chains import SOUND, issue
from tests.attestation.vectors.documents import Envelope, fields, raw, sealed, signature, sound
from tests.attestation.vectors.keys import ORDER, Key

_SOUND = sound()
_PAYLOAD = cbor.indefinite_map(fields().items())
_KEY = issue(SOUND).key
_R, _S = signature(_PAYLOAD, _KEY)
_SMALL = 1 << 376  # below it a number of 48 bytes begins with a zero


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _controls()
    yield from _encodings()
    yield from _numbers()
    yield from _items()
    yield from _altered()
    yield from _otherwise_signed()


def _with(signed: bytes) -> bytes:
    return _SOUND.but(signature=encode(signed))


def _with_small(position: int) -> tuple[bytes, tuple[int, int]]:
    """A payload, counted in user_data, whose r (0) or s (1) begins with a zero byte."""
    for number in count():
        payload = cbor.indefinite_map(fields(user_data=number.to_bytes(4, "big")).items())
        signed = signature(payload, _KEY)
        if signed[position] < _SMALL:
            return payload, signed
    raise AssertionError("counting ends never")


def _controls() -> Iterator[Case]:
    high, low = _with(raw(_R, max(_S, ORDER - _S))), _with(raw(_R, min(_S, ORDER - _S)))
    yield accepted(8, "high-s", "s above half the order, like half of the genuine ones", high)
    yield accepted(8, "low-s", "s below half the order", low)
    for position, name in enumerate("rs"):
        small = sealed(*_with_small(position)).to_bytes()
        yield accepted(8, f"leading-zero-{name}", f"{name} begins with a zero byte", small)


def _encodings() -> Iterator[Case]:
    code = "signature-encoding"
    payload, signed = _with_small(0)
    stripped = Envelope(encode(payload), encode(raw(*signed)[1:])).to_bytes()
    yield rejected(code, "95-bytes", "r without its leading zero", stripped, 17)
    for slug, title, data in (
        ("97-bytes", "a zero before r", b"\0" + raw(_R, _S)),
        ("98-bytes", "r and s in 49 bytes each", raw(_R, _S, 49)),
        ("48-bytes", "r alone", raw(_R, _S)[:48]),
        ("der", "r and s in DER", der.sequence(der.integer(_R), der.integer(_S))),
    ):
        yield rejected(code, slug, title, _with(data), 17)


def _numbers() -> Iterator[Case]:
    for slug, title, r, s in (
        ("zeros", "r and s zero", 0, 0),
        ("r-zero", "r zero", 0, _S),
        ("s-zero", "s zero", _R, 0),
        ("r-order", "r equal to the order", ORDER, _S),
        ("s-order", "s equal to the order", _R, ORDER),
    ):
        yield rejected("signature-encoding", slug, title, _with(raw(r, s)), 18)


def _items() -> Iterator[Case]:
    """Wrong as CBOR: that is the envelope's structure, whatever the bytes inside would verify as."""
    data, code = raw(_R, _S), "cose-structure"
    chunked = _SOUND.but(signature=cbor.chunked(BYTES, data))
    yield rejected(code, "signature-chunked", "a signature in chunks", chunked, 16)
    longer = _SOUND.but(signature=long_head(BYTES, 96, 2) + data)
    yield rejected(code, "signature-head-in-three-bytes", "the signature's head is not minimal", longer)


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _altered() -> Iterator[Case]:
    code = "signature"
    yield rejected(code, "r-bit", "the last bit of r flipped", _with(_flipped(raw(_R, _S), 47)), 19)
    yield rejected(code, "s-bit", "the last bit of s flipped", _with(_flipped(raw(_R, _S), 95)), 19)
    bit = _SOUND.but(payload=encode(_flipped(_PAYLOAD, _PAYLOAD.index(b"pcrs") + 10)))
    yield rejected(code, "payload-bit", "a bit of PCR0 flipped", bit, 19)
    definite = encode(fields())
    shorter = sealed(definite, (_R, _S)).to_bytes()
    yield rejected(code, "made-definite", "a payload signed as indefinite, sent as definite", shorter, 21)
    other = sealed(_PAYLOAD, signature(definite, _KEY)).to_bytes()
    yield rejected(code, "made-indefinite", "a payload signed as definite, sent as indefinite", other, 21)


def _otherwise_signed() -> Iterator[Case]:
    for slug, title, numbers, *rows in (
        ("sha-256", "signed with SHA-256", signature(_PAYLOAD, _KEY, algorithm=SHA256), 20),
        ("context-signature", "signed as Signature", signature(_PAYLOAD, _KEY, context="Signature"), 20),
        ("external-data", "signed with external data", signature(_PAYLOAD, _KEY, external=b"more"), 20),
        ("stranger-key", "signed by a key of no certificate", signature(_PAYLOAD, Key("a stranger"))),
        ("r-below-order", "r one less than the order: a number like any other", (ORDER - 1, _S)),
        ("s-below-order", "s one less than the order: a number like any other", (_R, ORDER - 1)),
    ):
        yield rejected("signature", slug, title, sealed(_PAYLOAD, numbers).to_bytes(), *rows)
