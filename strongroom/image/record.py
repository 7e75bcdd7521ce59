"""The packages that an image was built from, and its commit: what to keep, and what another build starts from."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import msgspec

from strongroom.image.errors import InputRefused
from strongroom.image.source import Source

_SHA256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
_FILE = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+%~-]*\Z")]
_NAME = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*\Z")]
_VERSION = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+:~!-]*\Z")]
_KERNEL = "linux-image-"

MAX_RECORD_BYTES: Final = 1 << 20
"""Forty times what the image needs."""


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """One .deb or wheel, which is ``file`` in the cache."""

    name: _NAME
    version: _VERSION
    sha256: _SHA256
    file: _FILE


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All packages of one build: those that build the image, and those in it."""

    debian: tuple[Package, ...]
    wheels: tuple[Package, ...]
    source: Source | None = None
    """Of our own files; None where git knew nothing of them. Nobody builds from it."""

    @classmethod
    def from_bytes(cls, data: bytes) -> "Record":
        """Read a file `packages.json`. Raises InputRefused."""
        try:
            record = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputRefused(f"record of packages: expected JSON as make eif-local writes it: {error}") from None
        _ = record.kernel
        for packages in (record.debian, record.wheels):
            _require_each_once(packages)
        return record

    def to_bytes(self) -> bytes:
        """Sorted, one value a line."""
        ordered = Record(tuple(sorted(self.debian)), tuple(sorted(self.wheels)), self.source)
        return msgspec.json.format(msgspec.json.encode(ordered)) + b"\n"

    @property
    def kernel(self) -> Package:
        """The package of the kernel. Raises InputRefused unless there is exactly one."""
        found = [package for package in self.debian if package.name.startswith(_KERNEL)]
        if len(found) != 1:
            raise InputRefused(f"record of packages: expected one kernel, {_KERNEL}…, got {len(found)}")
        return found[0]


def _require_each_once(packages: Iterable[Package]) -> None:
    for name, count in Counter(package.name for package in packages).items():
        if count > 1:
            raise InputRefused(f"record of packages: expected {name} once, got it {count} times")


def sha256_of(path: Path) -> str:
    """In hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def holds(folder: Path, package: Package) -> bool:
    """Whether the folder has that package's very file."""
    path = folder / package.file
    return path.is_file() and sha256_of(path) == package.sha256


def require(folder: Path, package: Package) -> Path:
    """The package's file. Raises InputRefused when it is missing or another."""
    if not holds(folder, package):
        found = "another" if (folder / package.file).exists() else "none"
        raise InputRefused(f"{package.file}: expected the file with SHA-256 {package.sha256}, got {found}")
    return folder / package.file
