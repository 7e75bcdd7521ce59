"""A position in CBOR whose every byte is known beforehand, but for the contents of its arrays and byte strings."""

from __future__ import annotations

from attestation import cbor
from attestation.eif.errors import EIFError
from attestation.errors import Rejected


class Cursor:
    """Reads forward. ``offset`` is where ``data`` lie in the file; errors name that place."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset
        self._at = 0

    def literal(self, expected: bytes, name: str) -> None:
        """Step over exactly these bytes. Raises EIFError."""
        end = self._at + len(expected)
        if self._data[self._at : end] != expected:
            raise self._error(name, "something else")
        self._at = end

    def byte_string(self) -> bytes:
        """A definite byte string with a minimal head. Raises EIFError."""
        length = self._length(cbor.BYTES, "a byte string")
        self._at += length
        return self._data[self._at - length : self._at]

    def byte_array(self) -> bytes:
        """An array of integers from 0 to 255: how serde writes bytes. Raises EIFError."""
        count = self._length(cbor.ARRAY, "an array of bytes")
        values = bytearray()
        for _ in range(count):
            value = self._head(cbor.UNSIGNED, "an integer from 0 to 255")
            if value > 255:
                raise self._error("an integer from 0 to 255", "a greater one")
            values.append(value)
        return bytes(values)

    def end(self) -> None:
        """Nothing follows. Raises EIFError."""
        if self._at != len(self._data):
            raise self._error("no more bytes", f"{len(self._data) - self._at}")

    def _length(self, major: int, name: str) -> int:
        length = self._head(major, name)
        remaining = len(self._data) - self._at
        if length > remaining:
            raise self._error(f"at most the {remaining} bytes that remain", f"a head that promises {length}")
        return length

    def _head(self, major: int, name: str) -> int:
        try:
            actual, argument, at = cbor.read_head(self._data, self._at)
        except Rejected as rejected:
            raise self._error(rejected.expected, rejected.actual) from None
        if actual != major:
            raise self._error(name, f"major type {actual}")
        self._at = at
        return argument

    def _error(self, expected: str, actual: str) -> EIFError:
        return EIFError(expected, actual, self._offset + self._at)
