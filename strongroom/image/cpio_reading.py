"""Reading a "newc" archive of ours again: what each entry is, without unpacking it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from strongroom.image.errors import InputRefused

_HEADER_BYTES: Final = 110
_MAGIC: Final = b"070701"
_MAX_NAME_BYTES: Final = 4096
_TRAILER: Final = "TRAILER!!!"
_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """One entry: its name, all fields of its header (inode, mode, uid, gid, …), and the SHA-256 of its content."""

    name: str
    fields: tuple[int, ...]
    sha256: str


def read(path: Path) -> Iterator[Found]:
    """The entries of the first archive in a file. Raises InputRefused, with the offset, for anything malformed."""
    with path.open("rb") as file:
        while (found := _entry(file)).name != _TRAILER:
            yield found


def _entry(file: BinaryIO) -> Found:
    begin = file.tell()
    header = file.read(_HEADER_BYTES)
    if len(header) != _HEADER_BYTES or not header.startswith(_MAGIC):
        raise InputRefused(f"cpio archive: expected an entry at {begin}, got other bytes or the end")
    try:
        fields = tuple(int(header[at : at + 8], 16) for at in range(len(_MAGIC), _HEADER_BYTES, 8))
    except ValueError:
        raise InputRefused(f"cpio archive: expected hexadecimal fields at {begin}, got others") from None
    size, name_bytes = fields[6], fields[11]
    if not 1 < name_bytes <= _MAX_NAME_BYTES:
        raise InputRefused(
            f"cpio archive: expected a name of 2 to {_MAX_NAME_BYTES} bytes at {begin}, got {name_bytes}"
        )
    name = file.read(name_bytes)[:-1].decode("utf-8", "surrogateescape")
    _align(file)
    return Found(name, fields, _digest(file, size))


def _digest(file: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    left = size
    while left:
        piece = file.read(min(_PIECE_BYTES, left))
        if not piece:
            raise InputRefused(f"cpio archive: expected {left} more bytes at {file.tell()}, got the end")
        digest.update(piece)
        left -= len(piece)
    _align(file)
    return digest.hexdigest()


def _align(file: BinaryIO) -> None:
    file.read(-file.tell() % 4)
