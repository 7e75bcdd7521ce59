"""Where two local images begin to differ: a file's name, so that somebody can look at it."""

from itertools import zip_longest
from pathlib import Path

from strongroom.image.cpio_reading import Found, read
from strongroom.image.local_parts import LocalParts
from strongroom.image.record import sha256_of


def first_difference(one: LocalParts, other: LocalParts) -> str | None:
    """What differs first, in the order in which an EIF holds it; None when all parts are equal. Raises InputRefused."""
    names = sorted({path.name for parts in (one, other) for path in (parts.folder / "modules").iterdir()})
    for name in ("vmlinuz", "init", *(f"modules/{name}" for name in names)):
        if _digest(one.folder / name) != _digest(other.folder / name):
            return name
    return first_different_entry(one.application, other.application)


def first_different_entry(one: Path, other: Path) -> str | None:
    """The first entry of two archives that one lacks, or that differs; None when all are equal. Raises InputRefused."""
    for left, right in zip_longest(read(one), read(other)):
        if left != right:
            return _described(left, right)
    return None if sha256_of(one) == sha256_of(other) else f"{one.name}, though all its entries are equal"


def _described(left: Found | None, right: Found | None) -> str:
    if left is None or right is None or left.name != right.name:
        names = sorted(found.name for found in (left, right) if found is not None)
        return f"{names[0]}, which only one of them has"
    return f"{left.name} ({'content' if left.sha256 != right.sha256 else 'mode, owner, time or links'})"


def _digest(path: Path) -> str | None:
    return sha256_of(path) if path.is_file() else None
