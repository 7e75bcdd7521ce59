"""What a tap reads of a TLS 1.3 handshake (RFC 8446), by code of its own: nothing of enclave/kms/client_hello.py."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

ALERT, HANDSHAKE = 21, 22
X25519, P256, X25519MLKEM768 = 0x001D, 0x0017, 0x11EC
CLIENT_SHARE_BYTES, SERVER_SHARE_BYTES = 1184 + 32, 1088 + 32
"""ML-KEM-768's encapsulation key or ciphertext, and an X25519 key (draft-ietf-tls-ecdhe-mlkem)."""
_HELLO_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_SUPPORTED_GROUPS, _KEY_SHARE = 10, 51


@dataclass(frozen=True)
class ClientHello:
    """The groups that are offered, and the size of the key share for each that has one."""

    groups: list[int]
    share_bytes: dict[int, int]


@dataclass(frozen=True)
class ServerHello:
    """The group that was agreed on, and the size of the server's share."""

    group: int
    share_bytes: int


def records(stream: bytes) -> list[tuple[int, bytes]]:
    """Content type and content of each record."""
    found = []
    while len(stream) >= 5:
        kind, _, size = struct.unpack_from(">BHH", stream)
        found.append((kind, stream[5 : 5 + size]))
        stream = stream[5 + size :]
    return found


def client_hello(stream: bytes) -> ClientHello:
    """Of the client's stream."""
    message = _first_message(stream, 1)
    at = 34 + 1 + message[34]  # version, random, session id
    at += 2 + int.from_bytes(message[at : at + 2], "big")  # cipher suites
    at += 1 + message[at]  # compression methods
    extensions = dict(_extensions(message[at:]))
    (size,) = struct.unpack_from(">H", extensions[_SUPPORTED_GROUPS])
    groups = list(struct.unpack_from(f">{size // 2}H", extensions[_SUPPORTED_GROUPS], 2))
    shares = dict(_pairs(extensions[_KEY_SHARE][2:]))
    return ClientHello(groups, {group: len(share) for group, share in shares.items()})


def server_hello(stream: bytes) -> ServerHello:
    """Of the server's stream; a request to try again is none."""
    message = _first_message(stream, 2)
    assert message[2:34] != _HELLO_RETRY
    at = 34 + 1 + message[34] + 2 + 1  # session id, cipher suite, compression
    group, size = struct.unpack_from(">HH", dict(_extensions(message[at:]))[_KEY_SHARE])
    return ServerHello(group, size)


def _first_message(stream: bytes, kind: int) -> bytes:
    (content_type, content), *_ = records(stream)
    assert (content_type, content[0]) == (HANDSHAKE, kind)
    return content[4 : 4 + int.from_bytes(content[1:4], "big")]


def _extensions(field: bytes) -> Iterator[tuple[int, bytes]]:
    (size,) = struct.unpack_from(">H", field)
    return _pairs(field[2 : 2 + size])


def _pairs(field: bytes) -> Iterator[tuple[int, bytes]]:
    while field:
        number, size = struct.unpack_from(">HH", field)
        yield number, field[4 : 4 + size]
        field = field[4 + size :]
