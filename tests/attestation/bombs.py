"""CBOR bombs (row 65 of the bad documents): few bytes that ask for much memory, depth or time."""

from __future__ import annotations

import cbor2

from attestation.cose import MAX_ENVELOPE_BYTES, MAX_PAYLOAD_BYTES
from tests.attestation import forge

_HUGE = b"\xff" * 8
_SIGNATURE = forge.raw(1, 1)


def payloads() -> dict[str, bytes]:
    """Payloads of at most 16 KiB, by what they are."""
    size = MAX_PAYLOAD_BYTES
    return {
        "array of 2^64-1": b"\x9b" + _HUGE,
        "map of 2^64-1": b"\xbb" + _HUGE,
        "byte string of 2^64-1": b"\x5b" + _HUGE,
        "text of 2^64-1": b"\x7b" + _HUGE,
        "byte string of 100 MB": b"\x5a\x06\x00\x00\x00" + bytes(100),
        "tag 2^64-1": b"\xdb" + _HUGE + b"\x00",
        "depth 1000": b"\x81" * 1000 + b"\x00",
        "depth of all": b"\x81" * (size - 1) + b"\x00",
        "depth of maps": b"\xa1\x00" * (size // 2 - 1) + b"\x00",
        "arrays that promise all the rest": b"".join(b"\x99" + n.to_bytes(2, "big") for n in range(size - 3, 0, -3)),
        "indefinite arrays": b"\x9f" * size,
        "indefinite maps": b"\xbf" * size,
        "indefinite strings": b"\x5f" * size,
        "tags": b"\xc6" * (size - 1) + b"\x00",
        "empty arrays": b"\x99\x3f\xf0" + b"\x80" * 0x3FF0,
        "empty arrays, indefinite": b"\xbf" + b"\x80" * (size - 2) + b"\xff",
        "a map of many items": b"\xb9\x1f\xf0" + b"\x00" * (2 * 0x1FF0),
        "one key again and again": b"\xb8\xff" + b"\x00\x00" * 255,
        "one long key again and again": b"\xb8\x80" + (b"\x78\x70" + b"a" * 0x70 + b"\x00") * 128,
        "keys of one hash": b"\xb8\xff" + b"".join(cbor2.dumps(n * ((1 << 61) - 1)) + b"\x00" for n in range(8)) * 31,
        "a huge number": b"\xc2\x59\x3f\xf0" + b"\xff" * 0x3FF0,
        "a huge exponent": b"\xc4\x82\x1b" + _HUGE + b"\x01",
    }


def envelopes() -> dict[str, bytes]:
    """Documents of at most 32 KiB that are bombs themselves, or are around a bomb."""
    size = MAX_ENVELOPE_BYTES
    return {
        "envelope: array of 2^64-1": b"\x9b" + _HUGE,
        "envelope: nested arrays": b"\x84" * size,
        "envelope: nested tags": b"\xd2" * size,
        "envelope: indefinite arrays": b"\x9f" * size,
        "envelope: empty arrays": b"\x84" + b"\x80" * (size - 1),
        "envelope: protected header of 2^64-1": b"\x84\x5b" + _HUGE,
        "envelope: unprotected header of 2^64-1": b"\x84\x44" + forge.ES384 + b"\xbb" + _HUGE,
        "envelope: payload of 100 MB": b"\x84\x44" + forge.ES384 + b"\xa0\x5a\x06\x00\x00\x00" + bytes(100),
        "envelope: zeros": bytes(size),
    } | {name: forge.envelope(payload, _SIGNATURE) for name, payload in payloads().items()}
