"""What must not be in the image, looked for in the tree that was built, not in the file that says what to build."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from strongroom.image.errors import InputRefused
from strongroom.image.measured import MEASURED

_PROGRAMS: Final = re.compile(
    r"(?:ba|da|z|k)?sh|busybox|apt(?:-.*)?|dpkg(?:-.*)?|perl.*|pip[0-9.]*|(?:.*-)?(?:gcc|cc|ld|as|tcc)(?:-[0-9]+)?"
)
_REMAINS: Final = re.compile(r".*\.py[co]|__pycache__|\..*_history")
_STRANGERS: Final = re.compile(r"pip|ensurepip|simulator|tests?|parent|proxy|client")
_OURS: Final = ("attestation", "enclave", "strongroom")
_SWITCHES: Final = re.compile(rb"strongroom\.simulator|sys\.argv|argparse|BEGIN [A-Z ]*PRIVATE KEY")


def require_clean(rootfs: Path) -> None:
    """Raise InputRefused, naming the first ten: shells, installers, remains, switches, files of ours but the listed.

    A switch is what would let the parent choose another NSM or source of entropy: a command line, or the simulator.
    """
    found = sorted({*_programs(rootfs), *_remains(rootfs), *_unlisted(rootfs), *_switches(rootfs)})
    if found:
        expected = "no shell, installer, remains, switch or file of ours but those of measured.txt"
        raise InputRefused(f"image: expected {expected}, got {', '.join(found[:10])}")


def _programs(rootfs: Path) -> Iterator[str]:
    for folder in ("usr/bin", "usr/sbin", "usr/local/bin", "app/bin"):
        for path in (rootfs / folder).glob("*"):
            if _PROGRAMS.fullmatch(path.name):
                yield path.relative_to(rootfs).as_posix()


def _remains(rootfs: Path) -> Iterator[str]:
    """Packages may have a module `client` or `proxy` of their own; beside ours there is none."""
    for path in rootfs.rglob("*"):
        parts = path.relative_to(rootfs).parts
        beside = parts[0] == "app" and len(parts) == 2
        if _REMAINS.fullmatch(path.name) or (beside and _STRANGERS.fullmatch(path.name)):
            yield "/".join(parts)


def _unlisted(rootfs: Path) -> Iterator[str]:
    for path in _ours(rootfs):
        if path.relative_to(rootfs / "app").as_posix() not in MEASURED:
            yield path.relative_to(rootfs).as_posix()


def _switches(rootfs: Path) -> Iterator[str]:
    for path in _ours(rootfs):
        if _SWITCHES.search(path.read_bytes()):
            yield path.relative_to(rootfs).as_posix()


def _ours(rootfs: Path) -> Iterator[Path]:
    for package in _OURS:
        yield from (path for path in (rootfs / "app" / package).rglob("*") if path.is_file())
