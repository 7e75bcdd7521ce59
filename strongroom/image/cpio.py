"""The cpio archive of a ramdisk, "newc" (kernel: Documentation/driver-api/early-userspace/buffer-format.rst).

The same entries give the same bytes wherever and by whomever they are written: sorted by name, owned by root, no time,
modes reduced to what a reader needs. Nothing is compressed, as in nitro-cli's ramdisks.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from strongroom.image.errors import InputRefused

_MAX_NAME_BYTES: Final = 4095
_MAX_CONTENT_BYTES: Final = 0xFFFF_FFFF
_PIECE_BYTES: Final = 1 << 20
_TRAILER: Final = b"TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in an archive, relative and without `.` or `..`; made by `directory`, `regular` and `symlink`."""

    name: str
    mode: int
    content: bytes | Path = b""
    """The file's bytes or the file that holds them; for a symbolic link its target."""
    inode: object = None
    """Files of one size and content that share it are written once: hard links."""


def directory(name: str) -> Entry:
    """A folder, 0755."""
    return Entry(name, stat.S_IFDIR | 0o755)


def regular(name: str, content: bytes | Path, *, executable: bool = False, inode: object = None) -> Entry:
    """A file, 0755 or 0644."""
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), content, inode)


def symlink(name: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))


def write(entries: Iterable[Entry], out: BinaryIO) -> None:
    """Write a whole archive. Raises InputRefused for names and sizes."""
    ordered = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    _check_names(ordered)
    writer = _Writer(out)
    for entry, links in _with_links(ordered):
        writer.entry(entry, links)
    writer.trailer()


@dataclass(frozen=True, slots=True)
class _Links:
    number: int
    count: int
    first: bool


def _with_links(ordered: Sequence[Entry]) -> Iterable[tuple[Entry, _Links]]:
    counts: dict[object, int] = {}
    for entry in ordered:
        if entry.inode is not None:
            counts[entry.inode] = counts.get(entry.inode, 0) + 1
    numbers: dict[object, int] = {}
    for number, entry in enumerate(ordered, 1):
        first = entry.inode is None or entry.inode not in numbers
        own = number if entry.inode is None else numbers.setdefault(entry.inode, number)
        yield entry, _Links(own, counts.get(entry.inode, 1), first)


def _check_names(ordered: Sequence[Entry]) -> None:
    """The kernel makes no missing parents, follows any path, and lets a later entry replace an earlier one."""
    folders = {""}
    names: set[str] = set()
    for entry in ordered:
        name = entry.name
        if not 0 < len(os.fsencode(name)) <= _MAX_NAME_BYTES or {"", ".", ".."} & set(name.split("/")) or "\0" in name:
            raise InputRefused(f"expected a relative name without . or .., got {name!r}")
        if name in names or name == _TRAILER.decode():
            raise InputRefused(f"expected {name!r} once, got it again")
        if name.rpartition("/")[0] not in folders:
            raise InputRefused(f"expected a folder above {name!r}, got none")
        names.add(name)
        if stat.S_ISDIR(entry.mode):
            folders.add(name)


class _Writer:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._offset = 0

    def entry(self, entry: Entry, links: _Links) -> None:
        """The content of hard links stands with the first of them."""
        name = os.fsencode(entry.name)
        if not links.first:
            self._header(name, entry.mode, links, 0)
        elif isinstance(entry.content, Path):
            self._file(name, entry, entry.content, links)
        else:
            self._header(name, entry.mode, links, len(entry.content))
            self._put(entry.content)
            self._pad()

    def trailer(self) -> None:
        """The archive's end; another archive may follow."""
        self._header(_TRAILER, 0, _Links(0, 1, True), 0)

    def _file(self, name: bytes, entry: Entry, path: Path, links: _Links) -> None:
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            if size > _MAX_CONTENT_BYTES:
                raise InputRefused(f"{entry.name}: expected at most {_MAX_CONTENT_BYTES} bytes, got {size}")
            self._header(name, entry.mode, links, size)
            left = size
            while piece := source.read(min(_PIECE_BYTES, left)):
                self._put(piece)
                left -= len(piece)
            if left or source.read(1):
                raise InputRefused(f"{entry.name}: expected {size} bytes, got another number: it changed meanwhile")
        self._pad()

    def _header(self, name: bytes, mode: int, links: _Links, size: int) -> None:
        # inode, mode, uid, gid, links, time, size, device (2), a special file's device (2), bytes of the name, checksum
        fields = (links.number, mode, 0, 0, links.count, 0, size, 0, 0, 0, 0, len(name) + 1, 0)
        self._put(b"070701" + b"".join(b"%08x" % field for field in fields) + name + b"\0")
        self._pad()

    def _pad(self) -> None:
        self._put(bytes(-self._offset % 4))

    def _put(self, piece: bytes) -> None:
        self._out.write(piece)
        self._offset += len(piece)
