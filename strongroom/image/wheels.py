"""The wheels of the image: exactly those whose digests the lock file names, for the Python that is in the image."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from strongroom.image.errors import InputRefused
from strongroom.image.programs import Programs
from strongroom.image.record import Package, holds, require, sha256_of

_PYTHON: Final = "3.13"
_NEWEST_GLIBC: Final = 41  # 2.41, trixie's; pip takes no "at most"


def download(requirements: Path, cache: Path, programs: Programs) -> list[Package]:
    """All wheels of a lock file with hashes, from this machine's own package index, into ``cache``."""
    fresh = programs.folder / "wheels"
    fresh.mkdir()
    cache.mkdir(parents=True, exist_ok=True)
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in range(_NEWEST_GLIBC, 4, -1)]
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", f"--python-version={_PYTHON}"]
    places = [f"--find-links={cache}", f"--dest={fresh}", f"--requirement={requirements}"]
    programs.run(sys.executable, "-m", "pip", "download", *options, *platforms, *places)
    return [_kept(path, cache) for path in sorted(fresh.iterdir())]


def again(requirements: Path, cache: Path, packages: Sequence[Package], programs: Programs) -> None:
    """Download the recorded wheels if one is missing. Raises InputRefused when the lock file names others."""
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
