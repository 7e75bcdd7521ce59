"""Rules 9 to 11: the payload as CBOR, and which fields it has."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.attestation.vectors import cbor
from tests.attestation.vectors.case import Case, accepted, rejected
from tests.attestation.vectors.cbor import ARRAY, BYTES, MAP, TAG, TEXT, Encoded, encode, head, long_head
from tests.attestation.vectors.chains import MODULE_ID
from tests.attestation.vectors.documents import (
    LEFT_OUT,
    MADE_MS,
    NONCE,
    PCRS,
    document,
    fields,
    of_pairs,
    of_payload,
    pcr,
)

_FIELDS = fields()
_PAIRS: list[tuple[object, object]] = list(_FIELDS.items())
_DEFINITE, _INDEFINITE = encode(_FIELDS), cbor.indefinite_map(_PAIRS)
_REQUIRED = ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle")


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _map()
    yield from _framing()
    yield from _strings()
    yield from _values()
    yield from _bombs()
    yield from _pairs()
    yield from _keys()
    yield from _required()


def _map() -> Iterator[Case]:
    yield accepted(9, "definite-map", "a payload of definite length, as AWS sent until 2025", of_payload(_DEFINITE))
    yield accepted(9, "indefinite-map", "a payload of indefinite length, as AWS sends it", of_payload(_INDEFINITE))
    code = "payload-not-a-map"
    array = of_payload(encode(list(_FIELDS.values())))
    yield rejected(code, "payload-array", "an array of the fields' values as payload", array, 24)
    yield rejected(code, "payload-text", "a text as payload", of_payload(encode("module_id")), 24)
    code = "payload-trailing-bytes"
    yield rejected(code, "byte-after-map", "a zero after the definite map", of_payload(_DEFINITE + b"\0"), 22)
    yield rejected(code, "byte-after-break", "a zero after the break", of_payload(_INDEFINITE + b"\0"), 22)


def _framing() -> Iterator[Case]:
    code = "payload-cbor"
    yield rejected(code, "no-break", "an indefinite map without its break", of_payload(_INDEFINITE[:-1]), 23)
    broken = head(MAP, len(_PAIRS) + 1) + _INDEFINITE[1:]
    yield rejected(code, "break-in-map", "a definite map of ten that a break ends after nine", of_payload(broken), 23)
    tagged = of_payload(head(TAG, 55799) + _DEFINITE)
    yield rejected(code, "payload-tagged", "tag 55799 before the payload's map", tagged, 66)
    nested = document(pcrs=Encoded(cbor.indefinite_map(PCRS.items())))
    yield rejected(code, "pcrs-indefinite", "PCRs in a map of indefinite length", nested)


def _strings() -> Iterator[Case]:
    code, module_id = "payload-cbor", MODULE_ID.encode()
    for slug, title, field, item in (
        ("module-id-chunked", "module_id in chunks", "module_id", cbor.chunked(TEXT, module_id)),
        ("nonce-chunked", "the nonce in chunks", "nonce", cbor.chunked(BYTES, NONCE)),
        ("digest-not-utf-8", "a text that is not UTF-8", "digest", head(TEXT, 6) + b"SHA38\xff"),
    ):
        yield rejected(code, slug, title, document(**{field: Encoded(item)}))
    key = Encoded(long_head(TEXT, 5, 1) + b"nonce")
    longer = of_pairs([(key if name == "nonce" else name, value) for name, value in _PAIRS])
    yield rejected(code, "key-head-in-two-bytes", "a key whose head is not minimal", longer)
    again = document(pcrs=cbor.Pairs((*PCRS.items(), (Encoded(b"\x18\0"), pcr(0)))))
    yield rejected(code, "index-again-as-1800", "PCR index 0 a second time, as 18 00", again, 26)


def _values() -> Iterator[Case]:
    code = "payload-cbor"
    number = document(timestamp=Encoded(b"\xfb" + struct.pack(">d", MADE_MS)))
    yield rejected(code, "timestamp-float", "a timestamp in floating point", number, 32)
    bignum = document(timestamp=Encoded(head(TAG, 2) + encode(MADE_MS.to_bytes(8, "big"))))
    yield rejected(code, "timestamp-bignum", "a timestamp as bignum", bignum, 32)
    for slug, title, item in (
        ("nan", "NaN as user_data", b"\xf9\x7e\0"),
        ("undefined", "undefined as user_data", cbor.UNDEFINED),
        ("simple-0", "the simple value 0 as user_data", b"\xe0"),
        ("null-in-two-bytes", "null with a head of two bytes as user_data", b"\xf8\x16"),
        ("tagged-bytes", "tag 24 around user_data", head(TAG, 24) + encode(NONCE)),
    ):
        yield rejected(code, slug, title, document(user_data=Encoded(item)), 66)


def _bombs() -> Iterator[Case]:
    for slug, title, item in (
        ("user-data-bomb-array", "an array of 2^64-1 items as user_data", long_head(ARRAY, 2**64 - 1, 8)),
        ("user-data-bomb-bytes", "user_data that promises 100 MB", long_head(BYTES, 100_000_000, 4)),
        ("user-data-bomb-depth", "a thousand arrays in each other as user_data", head(ARRAY, 1) * 1000 + b"\0"),
    ):
        yield rejected("payload-cbor", slug, title, document(user_data=Encoded(item)), 65)


def _pairs() -> Iterator[Case]:
    *pairs, (last, _) = _PAIRS
    odd = of_payload(cbor.indefinite_map(pairs)[:-1] + encode(last) + cbor.BREAK)
    yield rejected("payload-cbor", "key-without-value", "a break where the last key's value is due", odd, 23)


def _keys() -> Iterator[Case]:
    for field in ("module_id", "certificate", "pcrs"):
        twice = of_pairs([*_PAIRS, (field, _FIELDS[field])])
        yield rejected("duplicate-key", f"{_slug(field)}-twice", f"{field} twice, with equal values", twice, 25)
    other = document(pcrs=cbor.Pairs(((0, pcr(0, "N-1")), *PCRS.items())))
    yield rejected("duplicate-key", "pcr-0-twice", "PCR0 twice, with different values", other, 26)
    unknown = of_pairs([*_PAIRS, ("debug", None)])
    yield rejected("unknown-field", "unknown-field", "a field that no document has", unknown, 27)
    number = of_pairs([*_PAIRS, (1, None)])
    yield rejected("unknown-field", "number-as-key", "a number as a field's name", number, 27)


def _required() -> Iterator[Case]:
    absent = dict.fromkeys(("public_key", "user_data", "nonce"), LEFT_OUT)
    yield accepted(11, "optionals-null", "public_key, user_data and nonce null, as AWS sends them", document())
    yield accepted(11, "optionals-absent", "public_key, user_data and nonce absent", document(**absent))
    for field in _REQUIRED:
        rows = (29, 38) if field == "cabundle" else (29,)
        missing, null = document(**{field: LEFT_OUT}), document(**{field: None})
        yield rejected("missing-field", f"{_slug(field)}-missing", f"no {field}", missing, *rows)
        yield rejected("missing-field", f"{_slug(field)}-null", f"{field} null", null, 29)


def _slug(field: str) -> str:
    return field.replace("_", "-")
