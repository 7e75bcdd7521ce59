"""vhost-user on the wire: one header of 12 bytes, a bounded payload, file descriptors beside it.

Source: QEMU, docs/interop/vhost-user.rst. Numbers are little-endian, as on the only machine that QEMU emulates here.
"""

import os
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from strongroom.simulator.vhost.errors import ProtocolFault

MAX_FDS = 8
"""Of a memory table: one for each region."""
MAX_PAYLOAD_BYTES = 1024
_HEADER = struct.Struct("<III")
_VERSION, _VERSION_MASK, _REPLY, _NEED_REPLY = 1, 0x3, 0x4, 0x8
_U64 = struct.Struct("<Q")
_VRING_STATE = struct.Struct("<II")
_VRING_ADDRESSES = struct.Struct("<IIQQQQ")
_TABLE_HEAD = struct.Struct("<II")
_REGION = struct.Struct("<QQQQ")
_CONFIG_HEAD = struct.Struct("<III")
_NO_FD = 0x100


class Request(IntEnum):
    """What a front end may ask of these devices."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    SET_VRING_ENABLE = 18
    GET_CONFIG = 24
    SET_CONFIG = 25


@dataclass(frozen=True, slots=True)
class RegionLayout:
    """One entry of a memory table: `size` bytes of guest memory, and where guest, front end and file have them."""

    guest_address: int
    size: int
    user_address: int
    file_offset: int


@dataclass(frozen=True, slots=True)
class RingAddresses:
    """Where the three parts of queue `index` lie, as addresses of the front end."""

    index: int
    descriptors: int
    used: int
    available: int


@dataclass(frozen=True, slots=True)
class Message:
    """One request as received; whoever takes its file descriptors closes them."""

    request: Request
    needs_reply: bool
    payload: bytes
    fds: tuple[int, ...] = ()

    @classmethod
    def receive(cls, connection: socket.socket) -> Self | None:
        """The next message; None when the front end is gone. Raises ProtocolFault, OSError."""
        head, fds, flags, _ = socket.recv_fds(connection, _HEADER.size, MAX_FDS)
        try:
            if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
                raise ProtocolFault(f"vhost-user: expected at most {MAX_FDS} file descriptors, got more")
            if not head and not fds:
                return None
            return cls._read(head + _rest(connection, _HEADER.size - len(head)), connection, tuple(fds))
        except BaseException:
            close_all(fds)
            raise

    @classmethod
    def _read(cls, head: bytes, connection: socket.socket, fds: tuple[int, ...]) -> Self:
        number, flags, size = _HEADER.unpack(head)
        if flags & _VERSION_MASK != _VERSION or flags & _REPLY:
            raise ProtocolFault(f"vhost-user: expected a request of version {_VERSION}, got flags {flags:#x}")
        if number not in set(Request):
            raise ProtocolFault(f"vhost-user: expected a request that these devices know, got number {number}")
        if size > MAX_PAYLOAD_BYTES:
            raise ProtocolFault(f"vhost-user: expected a payload of at most {MAX_PAYLOAD_BYTES} bytes, got {size}")
        return cls(Request(number), bool(flags & _NEED_REPLY), _rest(connection, size), fds)

    def reply(self, payload: bytes) -> bytes:
        """The bytes that answer this message."""
        return _HEADER.pack(self.request, _VERSION | _REPLY, len(payload)) + payload

    def number(self) -> int:
        """The payload as one 64-bit number. Raises ProtocolFault, as all of these do."""
        return int(self._unpack(_U64)[0])

    def ring_state(self) -> tuple[int, int]:
        """A queue's index and a number."""
        index, number = self._unpack(_VRING_STATE)
        return index, number

    def ring_addresses(self) -> RingAddresses:
        """Where a queue's rings are; logging of writes is not offered."""
        index, flags, descriptors, used, available, _ = self._unpack(_VRING_ADDRESSES)
        if flags:
            raise ProtocolFault(f"vhost-user: expected rings without a log, got flags {flags:#x}")
        return RingAddresses(index, descriptors, used, available)

    def ring_file(self) -> tuple[int, int | None]:
        """A queue's index and the event file that came with it, which is now the caller's; None: to be polled."""
        number = self.number()
        expected = 0 if number & _NO_FD else 1
        if len(self.fds) != expected:
            raise ProtocolFault(f"vhost-user: expected {expected} file descriptors, got {len(self.fds)}")
        return number & 0xFF, self.fds[0] if self.fds else None

    def regions(self) -> tuple[RegionLayout, ...]:
        """A memory table, with one file descriptor for each region."""
        count = _TABLE_HEAD.unpack_from(self.payload.ljust(_TABLE_HEAD.size, b"\0"))[0]
        expected = _TABLE_HEAD.size + count * _REGION.size
        if not 1 <= count <= MAX_FDS or len(self.payload) != expected or len(self.fds) != count:
            raise ProtocolFault(f"vhost-user: expected 1 to {MAX_FDS} regions with a file each, got {count}")
        return tuple(RegionLayout(*each) for each in _REGION.iter_unpack(self.payload[_TABLE_HEAD.size :]))

    def configuration_range(self) -> tuple[int, int]:
        """Offset and size of the configuration space that is asked for."""
        if len(self.payload) < _CONFIG_HEAD.size:
            raise ProtocolFault(f"vhost-user: expected a configuration range, got {len(self.payload)} bytes")
        offset, size, _ = _CONFIG_HEAD.unpack_from(self.payload)
        if len(self.payload) != _CONFIG_HEAD.size + size:
            raise ProtocolFault(f"vhost-user: expected {size} bytes of configuration, got another number")
        return offset, size

    def _unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        if len(self.payload) != layout.size:
            raise ProtocolFault(
                f"vhost-user: {self.request.name}: expected {layout.size} bytes, got {len(self.payload)}"
            )
        return layout.unpack(self.payload)


def number_payload(number: int) -> bytes:
    """One 64-bit number."""
    return _U64.pack(number)


def ring_state_payload(index: int, number: int) -> bytes:
    """A queue's index and a number."""
    return _VRING_STATE.pack(index, number)


def configuration_payload(offset: int, content: bytes) -> bytes:
    """A part of the configuration space."""
    return _CONFIG_HEAD.pack(offset, len(content), 0) + content


def close_all(fds: list[int] | tuple[int, ...]) -> None:
    """Close each."""
    for fd in fds:
        os.close(fd)


def _rest(connection: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        if not (piece := connection.recv(size - len(content))):
            raise ProtocolFault(f"vhost-user: expected {size} bytes, got {len(content)} and the end")
        content += piece
    return bytes(content)
