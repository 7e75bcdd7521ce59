"""The sections of a 64-bit little-endian ELF file (System V ABI, chapter 4): no more than kernel modules need."""

import struct
from typing import Final

from strongroom.image.errors import InputRefused

_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_MAGIC: Final = b"\x7fELF\x02\x01\x01"


def section(content: bytes, name: str) -> bytes:
    """The bytes of the first section of that name. Raises InputRefused for another file, or where it has none."""
    begin, size = section_place(content, name)
    return content[begin : begin + size]


def section_place(content: bytes, name: str) -> tuple[int, int]:
    """Offset and size in bytes of the first section of that name. Raises InputRefused as above."""
    headers, names_at = _section_headers(content)
    for name_offset, offset, size in headers:
        begin = names_at + name_offset
        if content[begin : begin + len(name) + 1] == name.encode() + b"\0":
            if offset + size > len(content):
                raise InputRefused(
                    f"ELF section {name}: expected its end at most at {len(content)}, got {offset + size}"
                )
            return offset, size
    raise InputRefused(f"ELF file: expected a section {name}, got none")


def _section_headers(content: bytes) -> tuple[list[tuple[int, int, int]], int]:
    """(offset of the name, offset, size) of each section, and where the names are."""
    if len(content) < _HEADER.size or not content.startswith(_MAGIC):
        raise InputRefused("expected a 64-bit little-endian ELF file, got another")
    fields = _HEADER.unpack_from(content)
    table_at, entry_bytes, count, names_index = fields[6], fields[11], fields[12], fields[13]
    if entry_bytes != _SECTION.size or names_index >= count or table_at + count * _SECTION.size > len(content):
        raise InputRefused("ELF file: expected a table of sections inside the file, got another")
    found = [_SECTION.unpack_from(content, table_at + index * _SECTION.size) for index in range(count)]
    return [(each[0], each[4], each[5]) for each in found], found[names_index][4]
