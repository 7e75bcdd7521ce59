"""The pins of a lock file, as `make lock` writes it: a version of each package, and which files of it are accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from deploy.release.errors import ReleaseError

_PIN = re.compile(
    r"(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)==(?P<version>[0-9][^\s;]*)"
    r"(?: ; [^\n]*?)?"  # a marker: on which platforms it is installed
    r"(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64})+)"
)
_HASH = re.compile("--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Pin:
    """A package that is installed in this version, from one of these files (SHA-256, hexadecimal)."""

    name: str
    version: str
    sha256: frozenset[str]

    def line(self) -> str:
        """As it stands in a lock file, for every platform."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{each}" for each in sorted(self.sha256))])


def read_pins(path: Path) -> list[Pin]:
    """Every pin of the lock file, whatever platform it is for. Raises ReleaseError for anything else in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ReleaseError(f"{path}: expected a readable lock file; make lock writes it") from None
    lines = filter(None, text.replace("\\\n", "").splitlines())
    pins = [_read_pin(path, line) for line in lines]
    if not pins:
        raise ReleaseError(f"{path}: expected at least one package, got none; make lock writes it")
    return pins


def _read_pin(path: Path, line: str) -> Pin:
    if not (found := _PIN.fullmatch(line)):
        raise ReleaseError(f"{path}: expected NAME==VERSION --hash=sha256:…, got {line[:60]!r}; make lock writes it")
    return Pin(found["name"], found["version"], frozenset(_HASH.findall(found["hashes"])))
