"""Strict TOML documents: bounded bytes in, one typed value out, unknown fields refused."""

import tomllib
from typing import TypeVar

import msgspec

from strongroom.protocol.errors import InvalidDocument, TooLarge

T = TypeVar("T")

MAX_DOTS = 4096  # the reader keeps every beginning of a dotted key: its memory grows with the square of the parts


def decode(data: bytes, kind: type[T], what: str, max_bytes: int) -> T:
    """Parse `data` as TOML into the msgspec type `kind`.

    Raises TooLarge above `max_bytes` and InvalidDocument, naming the path and the rule, for anything else.
    """
    if len(data) > max_bytes:
        raise TooLarge(f"{what}: expected at most {max_bytes} bytes, got {len(data)}")
    if (dots := data.count(b".")) > MAX_DOTS:
        raise InvalidDocument(f"{what}: expected at most {MAX_DOTS} dots, got {dots}")
    try:
        value = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # tomllib lets int() refuse thousands of digits by itself
        raise InvalidDocument(f"{what}: expected TOML in UTF-8: {_reason(error)}") from None
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        rule, _, path = str(error).partition(" - at ")
        raise InvalidDocument(f"{what}: {rule[0].lower()}{rule[1:]}; correct {path or 'its fields'}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, tomllib.TOMLDecodeError):
        return str(error)
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return "a number of too many digits" if isinstance(error, ValueError) else "nested too deeply"
