"""What the image is made of, in files and bytes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_OURS: Final = ("attestation", "enclave", "strongroom")
_ELF: Final = b"\x7fELF"


@dataclass(slots=True)
class Size:
    """A number of files, and their bytes together."""

    files: int = 0
    bytes: int = 0


def sizes(rootfs: Path) -> Mapping[str, Size]:
    """Files of the image by kind: `ours`, `packages` and `standard library` are Python source."""
    found: defaultdict[str, Size] = defaultdict(Size)
    for path in _files(rootfs):
        size = found[_kind(path.relative_to(rootfs).parts, path)]
        size.files += 1
        size.bytes += path.stat().st_size
    return dict(found)


def _files(rootfs: Path) -> Iterator[Path]:
    yield from (path for path in rootfs.rglob("*") if path.is_file() and not path.is_symlink())


def _kind(parts: tuple[str, ...], path: Path) -> str:
    if path.suffix == ".py":
        if parts[0] != "app":
            return "standard library"
        return "ours" if parts[1] in _OURS else "packages"
    with path.open("rb") as file:
        return "native" if file.read(len(_ELF)) == _ELF else "data"
