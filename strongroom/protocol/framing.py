"""Fixed binary heads: a bounded cursor for reading, length prefixes for writing. All integers big-endian."""

from strongroom.protocol.errors import Malformed

Buffer = bytes | memoryview
"""Bytes, or a view of bytes that nobody changes: handed on without a copy."""


def prefixed(*fields: bytes) -> bytes:
    """Concatenate fields, each behind its length in 4 bytes, so that no two lists give the same bytes."""
    return b"".join([part for field in fields for part in (len(field).to_bytes(4, "big"), field)])


class Reader:
    """Reads a head front to back; every overrun is Malformed, naming `what`."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self._what = data, 0, what

    @property
    def position(self) -> int:
        """Bytes read so far."""
        return self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise Malformed(f"{self._what}: expected at least {end} bytes, got {len(self._data)}")
        self._at, start = end, self._at
        return self._data[start:end]

    def integer(self, count: int) -> int:
        """The next `count` bytes as an unsigned integer."""
        return int.from_bytes(self.take(count), "big")

    def magic(self, expected: bytes) -> None:
        """The next bytes must be these: format and version."""
        if (actual := self.take(len(expected))) != expected:
            raise Malformed(f"{self._what}: expected it to begin with {expected.hex()}, got {actual.hex()}")

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != len(self._data):
            raise Malformed(f"{self._what}: expected {self._at} bytes, got {len(self._data)}")
