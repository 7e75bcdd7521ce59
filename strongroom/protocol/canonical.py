"""Strict CBOR for our own messages: one value has exactly one encoding.

The encoding is cbor2's canonical form (RFC 7049 section 3.9: shortest heads, length-first key order, definite
lengths). Strictness needs no second parser: what was decoded is encoded again and must give the same bytes.
"""

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import cbor2
import msgspec

from strongroom.protocol.errors import Malformed

_MAX_DEPTH = 8
_MAX_ITEMS = 8192  # the largest task, 64 tensors of 8 dimensions, has some 1,000
_STRINGS = (2, 3)
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
# Tags that cbor2 would otherwise turn into dates, patterns, e-mails, shared references and the like.
_BUILT_IN_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)

T = TypeVar("T")


def _refuse_tag(*_: object) -> NoReturn:
    raise ValueError("tags are not part of the protocol")


_SEMANTIC_DECODERS: Mapping[int, Any] = dict.fromkeys(_BUILT_IN_TAGS, _refuse_tag)


def _check_items(data: bytes, what: str) -> None:
    """Walk the heads and stop at the limit: a megabyte of empty lists would hold the decoder for half a second."""
    at = 0
    for _ in range(_MAX_ITEMS):
        if at >= len(data):
            return
        major, size = data[at] >> 5, data[at] & 0x1F
        extra = _ARGUMENT_BYTES.get(size, 0)
        argument = int.from_bytes(data[at + 1 : at + 1 + extra], "big") if extra else size
        at += 1 + extra + (argument if major in _STRINGS else 0)
    raise Malformed(f"{what}: expected at most {_MAX_ITEMS} CBOR items")


def encode(value: object) -> bytes:
    """Encode a struct, mapping, list or scalar canonically."""
    return cbor2.dumps(msgspec.to_builtins(value, builtin_types=(bytes,)), canonical=True)


def decode(data: bytes, kind: type[T], what: str) -> T:
    """Decode `data` into `kind`, a msgspec type; raise Malformed naming `what` for any other form."""
    _check_items(data, what)
    try:
        value = cbor2.loads(
            data,
            tag_hook=_refuse_tag,
            semantic_decoders=_SEMANTIC_DECODERS,
            max_depth=_MAX_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
        canonical = cbor2.dumps(value, canonical=True) == data
    except (cbor2.CBORError, ValueError, TypeError, OverflowError):
        raise Malformed(f"{what}: expected canonical CBOR without tags, got something else") from None
    if not canonical:
        raise Malformed(f"{what}: expected the canonical encoding, got another encoding of the same value")
    try:
        return msgspec.convert(value, kind, builtin_types=(bytes,))
    except msgspec.ValidationError:
        # msgspec's own sentence can quote a field name or a value of the other side: it goes no further.
        raise Malformed(f"{what}: expected the fields of docs/protocol.md within their limits") from None
