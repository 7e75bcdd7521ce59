"""What must not be in the image, looked for in the tree that was built, not in the file that says what to build."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from strongroom.image.errors import InputRefused

_PROGRAMS: Final = re.compile(
    r"(?:ba|da|z|k)?sh|busybox|apt(?:-.*)?|dpkg(?:-.*)?|perl.*|pip[0-9.]*|(?:.*-)?(?:gcc|cc|ld|as|tcc)(?:-[0-9]+)?"
)
_REMAINS: Final = re.compile(r".*\.py[co]|__pycache__|\..*_history")
_STRANGERS: Final = re.compile(r"pip|ensurepip|simulator|tests?|parent|proxy|client")
_OURS: Final = ("attestation", "enclave", "strongroom")
_SWITCHES: Final = re.compile(rb"strongroom\.simulator|sys\.argv|argparse|BEGIN [A-Z ]*PRIVATE KEY")


def require_clean(rootfs: Path) -> None:
    """Raise InputRefused, naming the first ten, for a shell, compiler or installer, for remains, and for switches.

    A switch is what would let the parent choose another NSM or source of entropy: a command line, or the simulator.
    """
    found = sorted({*_programs(rootfs), *_remains(rootfs), *_switches(rootfs)})
    if found:
        raise InputRefused(f"image: expected no shell, installer, remains or switch, got {', '.join(found[:10])}")


def _programs(rootfs: Path) -> Iterator[str]:
    for folder in ("usr/bin", "usr/sbin", "usr/local/bin", "app/bin"):
        for path in (rootfs / folder).glob("*"):
            if _PROGRAMS.fullmatch(path.name):
                yield path.relative_to(rootfs).as_posix()


def _remains(rootfs: Path) -> Iterator[str]:
    """Packages may have a module `client` or `proxy` of their own; among ours and beside them there is none."""
    for path in rootfs.rglob("*"):
        parts = path.relative_to(rootfs).parts
        top = len(parts) == 2 or (len(parts) > 2 and parts[1] in _OURS)
        if _REMAINS.fullmatch(path.name) or (parts[0] == "app" and top and _STRANGERS.fullmatch(path.name)):
            yield "/".join(parts)


def _switches(rootfs: Path) -> Iterator[str]:
    for package in _OURS:
        for path in (rootfs / "app" / package).rglob("*"):
            if path.is_file() and _SWITCHES.search(path.read_bytes()):
                yield path.relative_to(rootfs).as_posix()
