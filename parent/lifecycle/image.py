"""The image that a launcher gets: read strictly and found sound, or refused before anything is started."""

import gzip
import io
import lzma
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from attestation.eif.layout import SectionType
from attestation.eif.reader import EIF
from parent.lifecycle.errors import ImageRefused

_PIECE_BYTES = 1 << 20
_MAX_UNPACKED_BYTES = 64 << 30
_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\0"


@dataclass(frozen=True)
class Image:
    """A sound EIF. `pcr0` is 96 hexadecimal digits; `unpacked_bytes` is the size of its ramdisks' archives."""

    path: Path
    pcr0: str
    file_bytes: int
    unpacked_bytes: int

    @classmethod
    def check(cls, path: Path) -> Self:
        """Read the whole file. Raises EIFError, UnsoundEIF, ImageRefused, OSError."""
        if not path.is_file():
            raise ImageRefused(f"{path}: expected an EIF, got no regular file")
        with path.open("rb") as stream:
            image = EIF.from_stream(stream)
            image.require_sound()
            return cls(path.resolve(), image.pcrs[0].hex(), path.stat().st_size, _unpacked_bytes(stream, image))


def _unpacked_bytes(stream: BinaryIO, image: EIF) -> int:
    """Of all ramdisks."""
    total = 0
    for slot in image.slots_of(SectionType.RAMDISK):
        stream.seek(slot.data_offset)
        total += _archive_bytes(stream, slot.data_bytes)
    return total


def _archive_bytes(stream: BinaryIO, data_bytes: int) -> int:
    start = stream.tell()
    first = stream.read(min(8, data_bytes))
    if not first.startswith((_GZIP, _XZ)):
        return data_bytes
    stream.seek(start)
    part = io.BufferedReader(_Part(stream, data_bytes))
    try:
        with gzip.GzipFile(fileobj=part) if first.startswith(_GZIP) else lzma.LZMAFile(part) as unpacked:
            return _drained(unpacked)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        raise ImageRefused(f"EIF: expected a ramdisk that unpacks, got a damaged one at byte {start}") from None


def _drained(stream: io.BufferedIOBase) -> int:
    total = 0
    while piece := stream.read(_PIECE_BYTES):
        total += len(piece)
        if total > _MAX_UNPACKED_BYTES:
            raise ImageRefused(f"EIF: expected a ramdisk of at most {_MAX_UNPACKED_BYTES} bytes, unpacked, got more")
    return total


class _Part(io.RawIOBase):
    """The next so many bytes of a stream, as a stream."""

    def __init__(self, stream: BinaryIO, count: int) -> None:
        self._stream, self._left = stream, count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)
