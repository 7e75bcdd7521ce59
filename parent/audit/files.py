"""Files that survive a crash: appended to and synchronised, or put in place whole."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

LENGTH_BYTES = 4


class AppendFile:
    """A file that only grows, but for what a crash left half-written. Everything raises OSError."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def size_bytes(self) -> int:
        """Its length."""
        return os.fstat(self.descriptor).st_size

    def append(self, data: bytes) -> None:
        """Return when all of `data` is on disk."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.descriptor, view) :]
        os.fsync(self.descriptor)

    def cut(self, size_bytes: int) -> None:
        """Drop what stands behind `size_bytes`, if there is anything."""
        if self.size_bytes() > size_bytes:
            os.ftruncate(self.descriptor, size_bytes)
            os.fsync(self.descriptor)

    def reader(self) -> BinaryIO:
        """Its bytes from the front; close it, the file stays open."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)
        return open(self.descriptor, "rb", closefd=False)

    def close(self) -> None:
        """No more."""
        os.close(self.descriptor)


def put(path: Path, data: bytes) -> None:
    """Write a whole file or none, and the folder's entry of it. Raises OSError."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with AppendFile(new) as file:
        file.append(data)
    new.replace(path)
    sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder unless it is there; raises OSError when its parent is not."""
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """The entries of a folder are on disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def whole_records(stream: BinaryIO, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Each record of length (4) ‖ bytes that is whole, with the offset of its end; a torn one ends them."""
    end = 0
    while len(head := stream.read(LENGTH_BYTES)) == LENGTH_BYTES:
        length = int.from_bytes(head, "big")
        if not 1 <= length <= max_bytes or len(record := stream.read(length)) != length:
            return
        end += LENGTH_BYTES + length
        yield end, record
