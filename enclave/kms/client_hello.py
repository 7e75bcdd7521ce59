"""What a TLS client offers for the key exchange, read strictly from its ClientHello (RFC 8446 sections 4.1.2 and 4.2).

The reader takes what OpenSSL writes in one flight: one handshake record that holds one whole ClientHello.
"""

from dataclasses import dataclass
from typing import Final, Self

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_RECORD_VERSIONS: Final = (0x0301, 0x0303)
_LEGACY_VERSION: Final = 0x0303
_MAX_RECORD_BYTES: Final = 1 << 14
_RANDOM_BYTES: Final = 32
_SUPPORTED_GROUPS: Final = 10
_KEY_SHARE: Final = 51


class _Reader:
    """Big-endian fields of TLS, in order; raises ValueError where they are cut short or go on."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __bool__(self) -> bool:
        return bool(self._data)

    def take(self, count: int) -> bytes:
        if len(self._data) < count:
            raise ValueError(f"ClientHello: expected {count} more bytes, got {len(self._data)}")
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_bytes: int) -> "_Reader":
        return _Reader(self.take(self.number(length_bytes)))

    def expect(self, size: int, *values: int) -> None:
        if (number := self.number(size)) not in values:
            raise ValueError(f"ClientHello: expected {' or '.join(map(hex, values))}, got {number:#x}")

    def end(self) -> None:
        if self:
            raise ValueError(f"ClientHello: expected its end, got {len(self._data)} more bytes")


@dataclass(frozen=True)
class Offer:
    """The named groups (RFC 8446 section 4.2.7) of a ClientHello, and those that it sends a key share for."""

    groups: tuple[int, ...]
    key_shares: tuple[int, ...]

    @classmethod
    def from_record(cls, record: bytes) -> Self:
        """Read the first flight of a TLS client; raise ValueError for anything but one whole ClientHello."""
        extensions = _extensions(_hello(record))
        groups = _groups(extensions.get(_SUPPORTED_GROUPS))
        key_shares = _key_shares(extensions.get(_KEY_SHARE))
        if len(set(groups)) != len(groups) or len(set(key_shares)) != len(key_shares):
            raise ValueError("ClientHello: expected each group once, got one twice")
        if not set(key_shares) <= set(groups):
            raise ValueError("ClientHello: expected key shares of the offered groups, got one of another group")
        return cls(groups, key_shares)


def _hello(record: bytes) -> _Reader:
    if len(record) > _MAX_RECORD_BYTES:
        raise ValueError(f"ClientHello: expected at most {_MAX_RECORD_BYTES} bytes, got {len(record)}")
    outer = _Reader(record)
    outer.expect(1, _HANDSHAKE)
    outer.expect(2, *_RECORD_VERSIONS)
    handshake = outer.vector(2)
    outer.end()
    handshake.expect(1, _CLIENT_HELLO)
    hello = handshake.vector(3)
    handshake.end()
    return hello


def _extensions(hello: _Reader) -> dict[int, _Reader]:
    hello.expect(2, _LEGACY_VERSION)
    hello.take(_RANDOM_BYTES)
    for length_bytes in (1, 2, 1):  # session id, cipher suites, compression methods
        hello.vector(length_bytes)
    listed = hello.vector(2)
    hello.end()
    found: dict[int, _Reader] = {}
    while listed:
        kind = listed.number(2)
        if kind in found:
            raise ValueError(f"ClientHello: expected each extension once, got {kind} twice")
        found[kind] = listed.vector(2)
    return found


def _groups(extension: _Reader | None) -> tuple[int, ...]:
    if extension is None:
        return ()
    listed, groups = extension.vector(2), []
    extension.end()
    while listed:
        groups.append(listed.number(2))
    return tuple(groups)


def _key_shares(extension: _Reader | None) -> tuple[int, ...]:
    if extension is None:
        return ()
    listed, groups = extension.vector(2), []
    extension.end()
    while listed:
        groups.append(listed.number(2))
        if not listed.vector(2):
            raise ValueError("ClientHello: expected a key share of one byte or more, got none")
    return tuple(groups)
