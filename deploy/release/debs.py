"""Debian's packages in the image: which, by Dockerfile.enclave; their files, by the record of a local build.

`make eif-local` leaves the record (docs/image.md). Licences are not in it: they lie in the image, below /usr/share/doc.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.release.errors import ReleaseError
from deploy.release.wheels import Wheel

_UNPACKED = re.compile(r"apt-get download((?: +[a-z0-9][a-z0-9.+-]+)+) *&&")
_PACKAGE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.+-]+) [0-9][A-Za-z0-9.+:~-]* "
    r"(?P=name)_[^ /_]+_(?P<architecture>[a-z0-9-]+)\.deb [0-9a-f]{64}"
)
_MAX_RECORD_BYTES = 1 << 20  # as strongroom eif local takes them


@dataclass(frozen=True)
class Deb:
    """One package, and the file that it was unpacked from."""

    name: str
    version: str
    architecture: str
    file_name: str
    sha256: str


def names_in(dockerfile: Path) -> list[str]:
    """The packages that are unpacked into the image. Raises ReleaseError where the file does not say."""
    if not (found := _UNPACKED.search(dockerfile.read_text(encoding="utf-8").replace("\\\n", ""))):
        raise ReleaseError(f"{dockerfile}: expected the packages of the image after apt-get download, got none")
    return sorted(found[1].split())


def debs_of(names: Sequence[str], wheels: Sequence[Wheel], record: Path) -> list[Deb]:
    """Those packages as they were recorded. Raises ReleaseError unless the record is of an image with these wheels."""
    try:
        recorded = json.loads(_read(record))
        debs = {name: [_read_deb(each) for each in recorded["debian"] if each["name"] == name] for name in names}
        files = {each["sha256"] for each in recorded["wheels"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _refused(record, "expected the record of a local build, got something else") from None
    if files != {wheel.sha256 for wheel in wheels}:
        raise _refused(record, "expected the very wheels of this image, got others")
    for name, found in debs.items():
        if len(found) != 1:
            raise _refused(record, f"{name}: expected it once, got it {len(found)} times")
    return [found[0] for found in debs.values()]


def _read(record: Path) -> bytes:
    with record.open("rb") as file:
        content = file.read(_MAX_RECORD_BYTES + 1)
    if len(content) > _MAX_RECORD_BYTES:
        raise ValueError
    return content


def _read_deb(package: Mapping[str, Any]) -> Deb:
    name, version, file, sha256 = (package[key] for key in ("name", "version", "file", "sha256"))
    if not (found := _PACKAGE.fullmatch(" ".join((name, version, file, sha256)))):
        raise ValueError
    return Deb(name, version, found["architecture"], file, sha256)


def _refused(record: Path, message: str) -> ReleaseError:
    return ReleaseError(f"{record}: {message}; make eif-local writes it anew")
