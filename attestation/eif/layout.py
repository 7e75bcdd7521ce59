"""The two headers of an EIF (aws-nitro-enclaves-image-format, README and src/defs). All integers are big-endian.

    header (548 bytes) | section header (12 bytes), data | section header, data | …

Neither padding nor alignment anywhere, and nothing after the last section. The header's table says where each section
lies, and the section headers say it again: AWS's own reader believes the one, other loaders the other, so both must
agree before a byte is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from attestation.eif.errors import EIFError

MAX_SECTIONS = 32
MIN_SECTIONS = 2

MAX_FILE_BYTES = 16 << 30
"""Ours, the format has none. An enclave needs four times its image in memory, and models do not lie in ours; whoever
hands in a longer file, which may be a hole, would have it hashed for minutes before its end is found wrong."""

_HEADER = struct.Struct(f">4sHHQQHH{MAX_SECTIONS}Q{MAX_SECTIONS}QII")
_SECTION_HEADER = struct.Struct(">HHQ")

HEADER_BYTES = _HEADER.size
SECTION_HEADER_BYTES = _SECTION_HEADER.size
CRC_OFFSET = HEADER_BYTES - 4
"""The header's last field, the only bytes of the file that its own CRC leaves out."""

_MAGIC = b".eif"
_VERSIONS = (2, 3, 4)
_ARCHITECTURES = {0: "x86_64", 1: "aarch64"}  # by the flags; every other bit is reserved

ARCHITECTURES = tuple(_ARCHITECTURES.values())
WRITTEN_VERSION = 4

_VERSION_AT, _FLAGS_AT, _RESERVED_AT, _COUNT_AT = 0x004, 0x006, 0x018, 0x01A
_OFFSETS_AT, _SIZES_AT, _UNUSED_AT = 0x01C, 0x11C, 0x21C


class SectionType(IntEnum):
    """What a section holds."""

    KERNEL = 1
    CMDLINE = 2
    RAMDISK = 3
    SIGNATURE = 4
    METADATA = 5


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one section lies: the offset of its header in the file, and the size of its data without that header."""

    offset: int
    data_bytes: int

    @property
    def data_offset(self) -> int:
        """Where the data begin."""
        return self.offset + SECTION_HEADER_BYTES


@dataclass(frozen=True, slots=True)
class Header:
    """The first 548 bytes, checked against the size of the file that they begin."""

    version: int
    architecture: str
    slots: tuple[Slot, ...]
    crc32: int
    default_memory_bytes: int = 1 << 30
    """Nothing uses it, nor the next; both as nitro-cli writes them."""
    default_cpus: int = 2

    @classmethod
    def from_bytes(cls, data: bytes, file_bytes: int) -> Header:
        """Read ``HEADER_BYTES`` bytes; afterwards the slots cover the rest of the file exactly. Raises EIFError."""
        magic, version, flags, memory_bytes, cpus, reserved, count, *table, unused, crc32 = _HEADER.unpack(data)
        if magic != _MAGIC:
            raise EIFError("the magic .eif", "other bytes", 0)
        if version not in _VERSIONS:
            raise EIFError("version 2, 3 or 4", f"{version}", _VERSION_AT)
        if flags not in _ARCHITECTURES:
            raise EIFError("no flag but bit 0, the architecture", f"0x{flags:04x}", _FLAGS_AT)
        for value, offset in ((reserved, _RESERVED_AT), (unused, _UNUSED_AT)):
            if value:
                raise EIFError("zero in a reserved field", f"{value}", offset)
        _check_count(count)
        _check_size(file_bytes)
        slots = _slots(table[:MAX_SECTIONS], table[MAX_SECTIONS:], count, file_bytes)
        return cls(version, _ARCHITECTURES[flags], slots, crc32, memory_bytes, cpus)

    def to_bytes(self) -> bytes:
        """The ``HEADER_BYTES`` bytes that ``from_bytes`` reads back as this header."""
        flags = next(value for value, name in _ARCHITECTURES.items() if name == self.architecture)
        padding = [0] * (MAX_SECTIONS - len(self.slots))
        offsets = [slot.offset for slot in self.slots] + padding
        sizes = [slot.data_bytes for slot in self.slots] + padding
        fields = (self.version, flags, self.default_memory_bytes, self.default_cpus, 0, len(self.slots))
        return _HEADER.pack(_MAGIC, *fields, *offsets, *sizes, 0, self.crc32)


def place(sizes: Iterable[int]) -> tuple[Slot, ...]:
    """Where sections with data of these sizes lie, in file order.

    Raises EIFError unless they are 2 to 32, in at most ``MAX_FILE_BYTES``.
    """
    slots: list[Slot] = []
    at = HEADER_BYTES
    for data_bytes in sizes:
        slots.append(Slot(at, data_bytes))
        at = slots[-1].data_offset + data_bytes
    _check_count(len(slots))
    _check_size(at)
    return tuple(slots)


def section_header(section: SectionType, slot: Slot) -> bytes:
    """The ``SECTION_HEADER_BYTES`` bytes that ``read_section_type`` reads back."""
    return _SECTION_HEADER.pack(section, 0, slot.data_bytes)


def read_section_type(data: bytes, slot: Slot) -> SectionType:
    """The type in a section header of ``SECTION_HEADER_BYTES`` bytes that agrees with ``slot``. Raises EIFError."""
    number, flags, data_bytes = _SECTION_HEADER.unpack(data)
    if number not in list(SectionType):
        raise EIFError("a section type from 1 to 5", f"{number}", slot.offset)
    if flags:
        raise EIFError("section flags of zero", f"0x{flags:04x}", slot.offset)
    if data_bytes != slot.data_bytes:
        raise EIFError(f"{slot.data_bytes} bytes, as the header says", f"{data_bytes}", slot.offset)
    return SectionType(number)


def _check_count(count: int) -> None:
    if not MIN_SECTIONS <= count <= MAX_SECTIONS:
        raise EIFError(f"{MIN_SECTIONS} to {MAX_SECTIONS} sections", f"{count}", _COUNT_AT)


def _check_size(file_bytes: int) -> None:
    if file_bytes > MAX_FILE_BYTES:
        raise EIFError(f"at most {MAX_FILE_BYTES} bytes of file", f"{file_bytes}", MAX_FILE_BYTES)


def _slots(offsets: list[int], sizes: list[int], count: int, file_bytes: int) -> tuple[Slot, ...]:
    slots = []
    at = HEADER_BYTES
    for index in range(count):
        if offsets[index] != at:
            raise EIFError(f"section {index} at {at}", f"{offsets[index]}", _OFFSETS_AT + 8 * index)
        slots.append(Slot(at, sizes[index]))
        at += SECTION_HEADER_BYTES + sizes[index]
        if at > file_bytes:
            raise EIFError(f"{at} bytes or more in the file, to hold section {index}", f"{file_bytes}", file_bytes)
    if at != file_bytes:
        raise EIFError("the end of the file", f"{file_bytes - at} more bytes", at)
    for entries, table_at in ((offsets, _OFFSETS_AT), (sizes, _SIZES_AT)):
        for index, entry in enumerate(entries[count:], count):
            if entry:
                raise EIFError("zero in an unused entry", f"{entry}", table_at + 8 * index)
    return tuple(slots)
