"""The wheels of the image: exactly those whose digests the lock file names, for the Python that is in the image."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from strongroom.image.errors import InputRefused
from strongroom.image.interpreter import PIP_OPTIONS
from strongroom.image.programs import Programs
from strongroom.image.record import Package, holds, require, sha256_of

_PIN: Final = re.compile(r"^([a-z0-9-]+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\\n|$))+)", re.MULTILINE)


def download(requirements: Path, cache: Path, programs: Programs) -> list[Package]:
    """All wheels of a lock file with hashes, from this machine's own package index, into ``cache``."""
    fresh = programs.folder / "wheels"
    fresh.mkdir()
    cache.mkdir(parents=True, exist_ok=True)
    places = [f"--find-links={cache}", f"--dest={fresh}", f"--requirement={requirements}"]
    programs.run(sys.executable, "-m", "pip", "download", "--quiet", *PIP_OPTIONS, *places)
    return [_kept(path, cache) for path in sorted(fresh.iterdir())]


def require_pinned(requirements: Path, packages: Sequence[Package]) -> None:
    """Raise InputRefused unless the recorded wheels are those of the lock file: all, no other, with digests of its."""
    recorded = {_normal(package.name): package for package in packages}
    pins = {name: (version, hashes) for name, version, hashes in _PIN.findall(requirements.read_text("utf-8"))}
    if others := recorded.keys() - pins.keys():
        raise _not_pinned(f"no wheel of {min(others)}, which {requirements.name} does not name, got one")
    for name, (version, hashes) in sorted(pins.items()):
        package = recorded.get(name)
        if package is None or package.version != version or package.sha256 not in hashes:
            got = "none" if package is None else f"{package.version} with {package.sha256}"
            raise _not_pinned(f"the wheel of {name} {version} with a SHA-256 of {requirements.name}, got {got}")


def _not_pinned(expected: str) -> InputRefused:
    return InputRefused(f"record of packages: expected {expected}; take a record of this checkout, or none")


def _normal(name: str) -> str:
    """As a lock file spells it; a wheel's file name has underscores."""
    return re.sub(r"[-_.]+", "-", name).lower()


def again(requirements: Path, cache: Path, packages: Sequence[Package], programs: Programs) -> None:
    """Download the recorded wheels if one is missing. Raises InputRefused when there is another of that name."""
    if not all(holds(cache, package) for package in packages):
        download(requirements, cache, programs)
    for package in packages:
        require(cache, package)


def write_folder(folder: Path, cache: Path, packages: Sequence[Package]) -> None:
    """A folder from which pip installs exactly these packages, and its `pip.conf`, which knows no other place."""
    folder.mkdir()
    for package in packages:
        path = require(cache, package)
        if _name_and_version(package.file) != (package.name, package.version):
            raise InputRefused(f"{package.file}: expected the wheel of {package.name} {package.version} as recorded")
        (folder / package.file).hardlink_to(path)
    (folder / "pip.conf").write_text(
        "[global]\nno-index = true\nfind-links = /wheels\ndisable-pip-version-check = true\nroot-user-action = ignore\n"
    )


def _name_and_version(file: str) -> tuple[str, str]:
    name, version, _ = (*file.split("-", 2), "", "")[:3]  # PEP 427
    return name, version


def _kept(path: Path, cache: Path) -> Package:
    name, version = _name_and_version(path.name)
    digest = sha256_of(path)
    path.replace(cache / path.name)
    return Package(name, version, digest, path.name)
