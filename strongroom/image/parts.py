"""What an EIF is written from: the data of each section, read in pieces from where they lie."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from attestation.eif.layout import SectionType
from attestation.eif.measurements import ImageHashes, Sink
from attestation.eif.source import CHUNK_BYTES, Progress
from strongroom.image.errors import InputRefused

_UNMEASURED = (SectionType.METADATA, SectionType.SIGNATURE)


@dataclass(frozen=True, slots=True)
class Part:
    """The data of one section: `data_bytes` of them, from `offset` of a stream."""

    section: SectionType
    stream: BinaryIO
    offset: int
    data_bytes: int
    stamp: tuple[int, int] | None = None
    """A file's size and time of change when it was opened: half of a copy that is under way is no input."""

    @classmethod
    def of_bytes(cls, section: SectionType, data: bytes) -> "Part":
        """Data that are here already."""
        return cls(section, BytesIO(data), 0, len(data))

    @classmethod
    def of_file(cls, section: SectionType, stream: BinaryIO) -> "Part":
        """A whole file. Raises InputRefused when it is empty or cannot be read twice, OSError."""
        if not stream.seekable():
            raise InputRefused(f"{section.name.lower()}: expected a regular file, got a pipe or a device")
        data_bytes = stream.seek(0, os.SEEK_END)
        if not data_bytes:
            raise InputRefused(f"{section.name.lower()}: expected a file with something in it, got an empty one")
        return cls(section, stream, 0, data_bytes, _stamp(stream))

    def feed(self, *sinks: Sink) -> None:
        """Give each sink the data, in pieces of at most ``CHUNK_BYTES``. Raises InputRefused, OSError."""
        for chunk in self._chunks():
            for sink in sinks:
                sink.update(chunk)

    def registers(self, hashes: ImageHashes) -> tuple[Sink, ...]:
        """The hashes that this part's data go into when it is the next of an image: none for what nothing measures."""
        return () if self.section in _UNMEASURED else hashes.of_next(self.section)

    def _chunks(self) -> Iterator[bytes]:
        self.stream.seek(self.offset)
        left = self.data_bytes
        while left:
            chunk = self.stream.read(min(CHUNK_BYTES, left))
            if not chunk:
                name = self.section.name.lower()
                raise InputRefused(f"{name}: expected {left} more bytes, got the end of a file that has shrunk")
            left -= len(chunk)
            yield chunk
        if self.stamp is not None and _stamp(self.stream) != self.stamp:
            name = self.section.name.lower()
            raise InputRefused(f"{name}: expected a file that nobody writes to, got one that changed meanwhile")


def _stamp(stream: BinaryIO) -> tuple[int, int]:
    found = os.fstat(stream.fileno())
    return found.st_size, found.st_mtime_ns


class Meter:
    """A sink that reports how far a pass over `total_bytes` has come."""

    def __init__(self, total_bytes: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total_bytes, progress

    def update(self, data: bytes, /) -> None:
        """Take the next piece."""
        self._done += len(data)
        if self._progress is not None:
            self._progress(self._done, self._total)


def measure(parts: Sequence[Part], progress: Progress | None = None) -> Mapping[int, bytes]:
    """PCR0, 1 and 2 of an image of these parts, 48 bytes each. Raises InputRefused, OSError."""
    hashes, meter = ImageHashes(), Meter(sum(part.data_bytes for part in parts), progress)
    for part in parts:
        part.feed(meter, *part.registers(hashes))
    return hashes.pcrs()
