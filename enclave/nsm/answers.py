"""The NSM's answers: CBOR of exactly the promised shape, or a typed error."""

import io
from typing import TypeGuard

import cbor2

from enclave.nsm.interface import NSMErrorCode, NSMMalformed, NSMTruncated

_MAX_DEPTH = 4


def decode(answer: bytes) -> object:
    """The one CBOR item of an answer. Raises NSMTruncated when it ends early, NSMMalformed for anything else."""
    stream = io.BytesIO(answer)
    # Indefinite lengths stay allowed: AWS's own encoder began to write them in 2025.
    decoder = cbor2.CBORDecoder(stream, max_depth=_MAX_DEPTH, allow_duplicate_keys=False)
    try:
        value: object = decoder.decode()
    except cbor2.CBORDecodeEOF as error:
        raise NSMTruncated(f"expected a whole answer, got its first {len(answer)} bytes") from error
    except (cbor2.CBORDecodeError, ValueError, OverflowError) as error:
        raise NSMMalformed("expected CBOR, got something else") from error
    if stream.tell() != len(answer):
        raise NSMMalformed(f"expected one CBOR item of {len(answer)} bytes, got {stream.tell()} and a rest")
    return value


def error_code(value: object) -> NSMErrorCode:
    """The module's error of that name. Raises NSMMalformed for a name that nsm-api does not have."""
    for code in NSMErrorCode:
        if value == code.value:
            return code
    raise NSMMalformed("expected one of the NSM's error names, got something else")


class Fields:
    """The members of one answer: exactly the expected names, each read as exactly one type."""

    def __init__(self, value: object, names: set[str]) -> None:
        if not isinstance(value, dict) or set(value) != names:
            raise NSMMalformed(f"expected the members {sorted(names)}, got another shape")
        self._members: dict[str, object] = value

    def text(self, name: str) -> str:
        """A text string. Raises NSMMalformed, as all of these do."""
        value = self._members[name]
        if not isinstance(value, str):
            raise self._mismatch(name, "text")
        return value

    def boolean(self, name: str) -> bool:
        """True or false."""
        value = self._members[name]
        if not isinstance(value, bool):
            raise self._mismatch(name, "a boolean")
        return value

    def integer(self, name: str) -> int:
        """An unsigned 16-bit integer."""
        value = self._members[name]
        if not _is_uint16(value):
            raise self._mismatch(name, "an unsigned 16-bit integer")
        return value

    def octets(self, name: str, least: int, most: int) -> bytes:
        """A byte string of `least` to `most` bytes."""
        value = self._members[name]
        if not isinstance(value, bytes) or not least <= len(value) <= most:
            raise self._mismatch(name, f"a byte string of {least} to {most} bytes")
        return value

    def indexes(self, name: str, *, below: int) -> frozenset[int]:
        """An array of integers below `below`."""
        value = self._members[name]
        if not isinstance(value, list | tuple) or not all(_is_uint16(index) and index < below for index in value):
            raise self._mismatch(name, f"an array of integers below {below}")
        return frozenset(value)

    def _mismatch(self, name: str, expected: str) -> NSMMalformed:
        return NSMMalformed(f"{name}: expected {expected}, got {type(self._members[name]).__name__}")


def _is_uint16(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF
