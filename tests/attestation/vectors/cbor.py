"""CBOR, written by hand so that it can be written wrongly: a value may hold items encoded already (RFC 8949)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)

NULL, UNDEFINED = b"\xf6", b"\xf7"
BREAK = b"\xff"
EMPTY_MAP = b"\xa0"


@dataclass(frozen=True)
class Encoded:
    """Bytes that stand for themselves where a value is expected."""

    data: bytes


@dataclass(frozen=True)
class Pairs:
    """A map by its pairs, so that one key may come twice."""

    pairs: tuple[tuple[object, object], ...]


def head(major: int, argument: int) -> bytes:
    """A head in its shortest form."""
    if argument < 24:
        return bytes([major << 5 | argument])
    width = next(power for power in range(4) if argument < 1 << (8 << power))
    return long_head(major, argument, 1 << width)


def long_head(major: int, argument: int, width: int) -> bytes:
    """A head whose argument takes ``width`` bytes (1, 2, 4 or 8), needed or not."""
    return bytes([major << 5 | 23 + width.bit_length()]) + argument.to_bytes(width, "big")


def encode(value: object) -> bytes:
    """One item: None, bool, int, bytes, str, list, dict, or something encoded already."""
    if isinstance(value, Encoded):
        return value.data
    if value is None or isinstance(value, bool):
        return NULL if value is None else bytes([0xF4 + value])
    if isinstance(value, int):
        return head(UNSIGNED, value) if value >= 0 else head(NEGATIVE, -1 - value)
    if isinstance(value, bytes):
        return head(BYTES, len(value)) + value
    if isinstance(value, str):
        return head(TEXT, len(value.encode())) + value.encode()
    return _container(value)


def indefinite_map(pairs: Iterable[tuple[object, object]]) -> bytes:
    """A map that ends with a break, as AWS has sent it since 2025."""
    return b"\xbf" + _pairs(pairs) + BREAK


def chunked(major: int, data: bytes) -> bytes:
    """A string in two chunks."""
    half = len(data) // 2
    chunks = b"".join(head(major, len(part)) + part for part in (data[:half], data[half:]))
    return bytes([major << 5 | 31]) + chunks + BREAK


def _container(value: object) -> bytes:
    if isinstance(value, list):
        return head(ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        return head(MAP, len(value)) + _pairs(value.items())
    if isinstance(value, Pairs):
        return head(MAP, len(value.pairs)) + _pairs(value.pairs)
    raise TypeError(f"expected a value that CBOR has, got {type(value).__name__}")


def _pairs(pairs: Iterable[tuple[object, object]]) -> bytes:
    return b"".join(encode(key) + encode(value) for key, value in pairs)
