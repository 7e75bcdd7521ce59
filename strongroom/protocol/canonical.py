"""Strict CBOR for our own messages: one value has exactly one encoding.

The encoding is the canonical one of RFC 7049 section 3.9 (shortest heads, length-first key order, definite lengths),
with every field of a struct present, but for the defaults of `omit_defaults`, which are never written out. Strictness
needs no second parser: what was decoded and converted is encoded again and must give the same bytes. Long byte strings,
the data of tensors, are cut out before, so that a megabyte of them is copied once and compared by its place alone.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import cbor2
import msgspec

from strongroom.protocol.canonical_pieces import pieces_of
from strongroom.protocol.errors import Malformed
from strongroom.protocol.framing import Buffer

MAX_ITEMS = 8192
"""Of a value in CBOR; the largest task, 64 tensors of 8 dimensions, has some 1,000."""

_MAX_DEPTH = 8
_LONG_BYTES = 4096
_BYTES, _STRINGS, _CONTAINERS, _TAG = 2, (2, 3), (4, 5), 6
_SMALLEST_SIZE, _LARGEST_SIZE = 24, 27  # of an argument behind the head's byte: 1, 2, 4, 8 bytes
_STAND_IN = b"\xd9\xff\xff\xf6"  # tag 65535 of null: in what comes from outside, no tag passes

T = TypeVar("T")


def encode(value: object) -> bytes:
    """Encode a struct, mapping, list or scalar canonically."""
    return b"".join(pieces_of(value))


def decode(data: Buffer, kind: type[T], what: str, *, max_items: int = MAX_ITEMS) -> T:
    """Decode the one encoding of a `kind`, a msgspec type; raise Malformed naming `what` for any other bytes."""
    cut = _cut(data, what, max_items)
    try:
        value = cut.load()
    except (cbor2.CBORError, ValueError, TypeError, OverflowError):
        raise Malformed(f"{what}: expected canonical CBOR without tags, got something else") from None
    try:
        converted: T = msgspec.convert({"value": value}, _holder(cast(Hashable, kind)), builtin_types=(bytes,)).value
    except msgspec.ValidationError:
        # msgspec's own sentence can quote a field name or a value of the other side: it goes no further.
        raise Malformed(f"{what}: expected the fields of docs/protocol.md within their limits") from None
    if not cut.consists_of(pieces_of(converted)):
        raise Malformed(f"{what}: expected the canonical encoding, got another encoding of the same value")
    return converted


@cache
def _holder(kind: Hashable) -> Any:
    """A struct around a `kind`: msgspec works out a list or a union anew for each value of it, a struct only once."""
    return msgspec.defstruct("Holder", [("value", kind)])


@dataclass(frozen=True)
class _Cut:
    """Bytes that may be CBOR, the contents of long byte strings taken out."""

    rest: list[Buffer]
    """Any bytes, head of a long byte string, any bytes, head, …, any bytes."""
    strings: dict[int, bytes]
    """The contents, in their order, by their place in the whole."""

    def load(self) -> object:
        """The value; raises whatever cbor2 does."""
        contents = iter(self.strings.values())
        return cbor2.loads(
            _STAND_IN.join(self.rest[::2]),
            tag_hook=lambda *_: next(contents),
            max_depth=_MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )

    def consists_of(self, pieces: list[bytes]) -> bool:
        """Whether these pieces are the whole: a string that is at its own place needs no second look."""
        if not self.strings:
            return b"".join(pieces) == b"".join(self.rest)
        others, at = [], 0
        for piece in pieces:
            if self.strings.get(at) is not piece:
                others.append(piece)
            at += len(piece)
        return b"".join(others) == b"".join(self.rest)


def _cut(data: Buffer, what: str, max_items: int) -> _Cut:
    """Walk the heads and stop at the limits, before anything is allocated for what a head announces.

    A megabyte of empty lists would hold the decoder for half a second. No tag passes, which cbor2 would turn into a
    date or a pattern, or take for a stand-in. Raises Malformed.
    """
    rest: list[Buffer] = []
    strings: dict[int, bytes] = {}
    at, done, end = 0, 0, len(data)
    for _ in range(max_items):
        if at == end:
            break
        start, major, argument = at, data[at] >> 5, data[at] & 0x1F
        if major == _TAG or argument > _LARGEST_SIZE:
            raise Malformed(f"{what}: expected canonical CBOR without tags, got something else")
        at += 1
        if argument >= _SMALLEST_SIZE:
            at += 1 << argument - _SMALLEST_SIZE
            argument = int.from_bytes(data[start + 1 : at], "big")
        if major in _STRINGS:
            content, at = at, at + argument
            if major == _BYTES and argument > _LONG_BYTES and at <= end:
                rest += (data[done:start], data[start:content])
                strings[content], done = bytes(data[content:at]), at
        if at > end or (major in _CONTAINERS and argument > end):
            raise Malformed(f"{what}: expected all of its CBOR, got the beginning")
    if at < end:
        raise Malformed(f"{what}: expected at most {max_items} CBOR items")
    return _Cut([*rest, data[done:]], strings)
