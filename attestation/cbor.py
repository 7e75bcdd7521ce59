"""Strict CBOR for signed payloads: one walk over every head, then cbor2.

cbor2 decides what a value is; the walk before it decides whether these bytes may be decoded at all
(RFC 8949 section 3): minimal heads, definite strings, no tags, floats, undefined or other simple values, bounded
depth and number of items, nothing after the item. The walk does not recurse and allocates nothing that a head asks for.
"""

from __future__ import annotations

import cbor2

from attestation.errors import Rejected, RejectionCode

MAX_DEPTH = 4  # containers inside containers; documents have 2
MAX_ITEMS = 512  # keys, values and elements; documents have about 110

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)

_INDEFINITE_MAP = b"\xbf"
_BREAK = b"\xff"
_FALSE_TRUE_NULL = (20, 21, 22)


def decode(data: bytes) -> object:
    """Decode exactly one item; only the outermost map may have indefinite length.

    Raises Rejected (payload-cbor, payload-trailing-bytes, duplicate-key).
    """
    end = _Walk(data).whole_item()
    if end != len(data):
        raise Rejected(RejectionCode.PAYLOAD_TRAILING_BYTES, f"{end} bytes", f"{len(data)} bytes")
    try:
        return cbor2.loads(data, allow_duplicate_keys=False, max_depth=MAX_DEPTH + 1)
    except (cbor2.CBORDecodeError, UnicodeDecodeError):
        raise _undecodable(data) from None


def read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Read one head: (major type, argument, index of the byte after it).

    Raises Rejected (payload-cbor) for a truncated, reserved, indefinite or non-minimal head.
    """
    if at >= len(data):
        raise _malformed("another item", "the end of the input")
    major, info = data[at] >> 5, data[at] & 0x1F
    if info < 24:
        return major, info, at + 1
    if info > 27:
        raise _malformed("a definite length", f"initial byte 0x{data[at]:02x}")
    width = 1 << (info - 24)
    end = at + 1 + width
    argument = int.from_bytes(data[at + 1 : end], "big")
    least = 24 if width == 1 else 1 << (4 * width)
    if end > len(data) or argument < least:
        raise _malformed("a complete minimal head", f"argument {argument} in {width} bytes")
    return major, argument, end


class _Walk:
    """A position in the input that only moves forward, and the number of items seen on the way."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.items = 0

    def whole_item(self) -> int:
        """Index of the byte after the first item of the input."""
        if self.data[:1] != _INDEFINITE_MAP:
            self._definite_items(1, depth=0)
            return self.at
        self.at = 1
        while self.data[self.at : self.at + 1] != _BREAK:
            self._definite_items(2, depth=1)
        return self.at + 1

    def _definite_items(self, missing: int, depth: int) -> None:
        """Step over that many items; `missing` are those that the innermost container still lacks."""
        data, at, items = self.data, self.at, self.items
        around: list[int] = []
        while missing or around:
            if not missing:
                missing = around.pop()
                continue
            missing, items = missing - 1, items + 1
            if items > MAX_ITEMS:
                raise _malformed(f"at most {MAX_ITEMS} items", "more")
            major, argument, at = read_head(data, at)
            if major >= TAG:
                if major == TAG or argument not in _FALSE_TRUE_NULL:
                    raise _malformed("no tags, floats, undefined or simple values", f"major type {major}")
            elif major >= BYTES:
                if argument > len(data) - at:
                    raise _malformed("no more than the bytes that remain", f"a head that promises {argument}")
                if major < ARRAY:
                    at += argument
                elif argument:
                    around.append(missing)
                    missing = argument if major == ARRAY else 2 * argument
                    if depth + len(around) > MAX_DEPTH:
                        raise _malformed(f"at most {MAX_DEPTH} levels", "deeper nesting")
        self.at, self.items = at, items


def _undecodable(data: bytes) -> Rejected:
    """What cbor2 refused after the walk: a map that says one thing twice, or text that is none."""
    try:
        cbor2.loads(data, max_depth=MAX_DEPTH + 1)
    except (cbor2.CBORDecodeError, UnicodeDecodeError):
        return _malformed("text in UTF-8 and plain map keys", "an item that breaks one of them")
    return Rejected(RejectionCode.DUPLICATE_KEY, "each key of a map once", "one of them again")


def _malformed(expected: str, actual: str) -> Rejected:
    return Rejected(RejectionCode.PAYLOAD_CBOR, expected, actual)
