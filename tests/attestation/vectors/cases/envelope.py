"""Rules 1 to 5 and 7: the envelope's shape. Only the protected header and the payload are signed."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from tests.attestation.vectors import cbor
from tests.attestation.vectors.case import Case, accepted, rejected
from tests.attestation.vectors.cbor import ARRAY, BYTES, TAG, encode, head, long_head
from tests.attestation.vectors.chains import SOUND, issue
from tests.attestation.vectors.documents import ES384, Envelope, document, fields, pcr, raw, signature, sound

_SOUND = sound()
_WHOLE = _SOUND.to_bytes()
_PAYLOAD = cbor.indefinite_map(fields().items())


def cases() -> Iterator[Case]:
    """All of this module's."""
    yield from _sizes()
    yield from _tags()
    yield from _arrays()
    yield from _protected_headers()
    yield from _algorithms()
    yield from _unprotected_headers()
    yield from _payloads()
    yield from _ends()


def _sizes() -> Iterator[Case]:
    yield rejected("input-size", "empty", "no byte at all", b"", 1)
    title = "zeros after a sound document, up to one byte more than 32 KiB"
    yield rejected("input-size", "too-long", title, _WHOLE.ljust(32_769, b"\0"))
    for code, place, length in (
        ("protected-header", "array-head", 1),
        ("cose-payload", "payload", len(_WHOLE) // 2),
        ("cose-structure", "signature", len(_WHOLE) - 1),
    ):
        yield rejected(code, f"cut-in-{place}", f"the first {length} bytes", _WHOLE[:length], 1)


def _tags() -> Iterator[Case]:
    title = "untagged, an indefinite map, null optionals, 16 PCRs: as AWS sends it, and as most others depart from"
    yield accepted(2, "untagged", title, _WHOLE)
    yield accepted(2, "tag-18", "tag 18, a COSE_Sign1's", _SOUND.but(start=b"\xd2\x84"))
    for tag in (61, 98, 55799):
        start = head(TAG, tag) + b"\x84"
        yield rejected("cose-structure", f"tag-{tag}", f"tag {tag} instead of 18", _SOUND.but(start=start), 4)
    for slug, title, start in (
        ("tag-18-twice", "tag 18 in tag 18", b"\xd2\xd2\x84"),
        ("tag-18-in-two-bytes", "tag 18 with a head that is not minimal", long_head(TAG, 18, 1) + b"\x84"),
    ):
        yield rejected("cose-structure", slug, title, _SOUND.but(start=start), 4)


def _arrays() -> Iterator[Case]:
    for slug, title, data, row in (
        ("array-of-3", "no unprotected header", _SOUND.but(start=b"\x83", unprotected=b""), 5),
        ("array-of-5", "a fifth element, null", _SOUND.but(start=b"\x85", end=cbor.NULL), 5),
        ("array-indefinite", "an array of indefinite length", _SOUND.but(start=b"\x9f", end=cbor.BREAK), 6),
        ("array-head-in-two-bytes", "an array's head that is not minimal", _SOUND.but(start=b"\x98\x04"), 6),
        ("bomb-array", "an array of 2^64-1 items", _SOUND.but(start=long_head(ARRAY, 2**64 - 1, 8)), 65),
        ("bomb-depth", "a thousand arrays around a sound document", head(ARRAY, 1) * 1000 + _WHOLE, 65),
    ):
        yield rejected("cose-structure", slug, title, data, row)


def _signed_over(protected: bytes, algorithm: type[HashAlgorithm] = SHA384) -> Envelope:
    """Sound but for a protected header that the signature covers."""
    signed = signature(_PAYLOAD, issue(SOUND).key, protected=protected, algorithm=algorithm)
    return Envelope(encode(_PAYLOAD), encode(raw(*signed)), protected=encode(protected))


def _protected_headers() -> Iterator[Case]:
    code = "protected-header"
    for slug, title, header, *rows in (
        ("protected-empty", "an empty protected header", b"", 8),
        ("protected-kid", "a protected key id beside alg", encode({1: -35, 4: b"1"}), 10),
        ("protected-crit", "crit [99] beside alg", encode({1: -35, 2: [99]}), 11),
        ("protected-alg-twice", "alg twice", encode(cbor.Pairs(((1, -35), (1, -35)))), 12),
        ("protected-trailing-byte", "a zero after the protected map", ES384 + b"\0", 13),
        ("protected-alg-in-three-bytes", "-35 with a head that is not minimal", bytes.fromhex("a101390022"), 13),
        ("protected-indefinite", "a protected map of indefinite length", cbor.indefinite_map([(1, -35)])),
        ("protected-alg-as-text", "the text ES384 instead of -35", encode({1: "ES384"})),
    ):
        yield rejected(code, slug, title, _signed_over(header).to_bytes(), *rows)
    longer = _SOUND.but(protected=long_head(BYTES, 4, 1) + ES384)
    yield rejected(code, "protected-head-in-two-bytes", "the protected bytes' head is not minimal", longer)


def _algorithms() -> Iterator[Case]:
    code = "cose-algorithm"
    es256 = _signed_over(encode({1: -7}), SHA256).to_bytes()
    yield rejected(code, "alg-es256", "alg ES256, and hashed so", es256, 9)
    es512 = _signed_over(encode({1: -36}), SHA512).to_bytes()
    yield rejected(code, "alg-es512", "alg ES512, and hashed so", es512, 9)
    moved = _signed_over(cbor.EMPTY_MAP).but(unprotected=encode({1: -35}))
    yield rejected(code, "alg-unprotected-only", "alg in the unprotected header instead", moved, 14)


def _unprotected_headers() -> Iterator[Case]:
    for slug, title, item in (
        ("unprotected-kid", "a key id in the unprotected header", encode({4: b"1"})),
        ("unprotected-es384", "alg ES384 in the unprotected header as well", encode({1: -35})),
        ("unprotected-null", "the unprotected header null", cbor.NULL),
        ("unprotected-indefinite", "an empty unprotected map of indefinite length", cbor.indefinite_map([])),
        ("unprotected-head-in-two-bytes", "the unprotected map's head is not minimal", b"\xb8\0"),
    ):
        yield rejected("unprotected-header", slug, title, _SOUND.but(unprotected=item), 7)


def _payloads() -> Iterator[Case]:
    full = dict.fromkeys(("public_key", "user_data", "nonce"), b"\xa5" * 1024)
    largest = document(pcrs={index: pcr(index) for index in range(32)}, **full)
    yield accepted(5, "payload-of-largest-fields", "32 PCRs and 1,024 bytes in each optional field", largest)
    longer = document(user_data=bytes(13_000))
    yield rejected("cose-payload", "payload-too-long", "a payload over 16,384 bytes", longer, 15)
    for slug, title, item, *rows in (
        ("payload-null", "a detached payload: null, and soundly signed", cbor.NULL, 15),
        ("payload-empty", "an empty payload", b"\x40", 15),
        ("payload-chunked", "a payload in chunks", cbor.chunked(BYTES, _PAYLOAD), 16),
        ("payload-head-in-five-bytes", "the payload's head is not minimal", _long_head(_PAYLOAD)),
        ("payload-not-in-bytes", "the payload's map in no byte string", _PAYLOAD),
        ("payload-bomb", "a payload that promises 100 MB", long_head(BYTES, 100_000_000, 4) + _PAYLOAD, 65),
    ):
        yield rejected("cose-payload", slug, title, _SOUND.but(payload=item), *rows)


def _long_head(data: bytes) -> bytes:
    return long_head(BYTES, len(data), 4) + data


def _ends() -> Iterator[Case]:
    code = "cose-trailing-bytes"
    yield rejected(code, "trailing-byte", "a zero after the array", _SOUND.but(end=b"\0"), 2)
    yield rejected(code, "second-document", "the same document once more", _SOUND.but(end=_WHOLE), 3)
