"""Packets of virtio-vsock: 44 bytes of header before the bytes of a stream (virtio 1.2, section 5.10.6)."""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Self

from strongroom.simulator.vhost.errors import GuestFault

STREAM = 1
_HEADER = struct.Struct("<QQIIIHHIII")
HEADER_BYTES = _HEADER.size


class Operation(IntEnum):
    """What a packet is for."""

    REQUEST = 1
    RESPONSE = 2
    RST = 3
    SHUTDOWN = 4
    RW = 5
    CREDIT_UPDATE = 6
    CREDIT_REQUEST = 7


class Shutdown(IntFlag):
    """What the sender of SHUTDOWN will not do any more."""

    RECEIVE = 1
    SEND = 2


@dataclass(frozen=True, slots=True)
class Header:
    """Every field of a packet's header, in its order."""

    source_cid: int
    destination_cid: int
    source_port: int
    destination_port: int
    length: int
    kind: int
    operation: int
    flags: int
    buffer_bytes: int
    forwarded: int

    @classmethod
    def from_bytes(cls, octets: bytes) -> Self:
        """Raises GuestFault for another number of bytes."""
        if len(octets) != HEADER_BYTES:
            raise GuestFault(f"vsock: expected a header of {HEADER_BYTES} bytes, got {len(octets)}")
        return cls(*_HEADER.unpack(octets))

    def to_bytes(self) -> bytes:
        """The header on the wire."""
        return _HEADER.pack(
            self.source_cid,
            self.destination_cid,
            self.source_port,
            self.destination_port,
            self.length,
            self.kind,
            self.operation,
            self.flags,
            self.buffer_bytes,
            self.forwarded,
        )

    def reset(self) -> "Header":
        """The RST that answers this packet, where there is no stream for it."""
        return Header(
            source_cid=self.destination_cid,
            destination_cid=self.source_cid,
            source_port=self.destination_port,
            destination_port=self.source_port,
            length=0,
            kind=self.kind,
            operation=Operation.RST,
            flags=0,
            buffer_bytes=0,
            forwarded=0,
        )
