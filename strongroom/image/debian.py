"""Debian's packages from this machine's own mirror, resolved for the image and not for this machine.

apt runs with folders of its own: what is installed here, and from where, plays no part. apt checks signatures and
digests of what it downloads with the keys of this machine's package debian-archive-keyring.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from strongroom.image.errors import InputRefused
from strongroom.image.programs import Programs
from strongroom.image.record import Package, holds, require, sha256_of

SUITE: Final = "trixie"
_ARCHITECTURE: Final = "amd64"
_SETTINGS: Final = """\
Dir "{folder}";
Dir::State "{folder}";
Dir::State::Lists "{folder}/lists";
Dir::State::Status "{folder}/status";
Dir::Etc "{folder}";
Dir::Cache "{folder}";
Dir::Cache::Archives "{archives}";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
"""
_INSTALLED: Final = re.compile(r"^Inst (\S+) \((\S+) .*\[(\w+)\]\)", re.MULTILINE)
_KERNEL: Final = re.compile(r"^\s*Depends: (linux-image-\S+)$", re.MULTILINE)


class Apt:
    """Resolves and downloads packages of ``SUITE``; ``archives`` keeps every .deb that was ever downloaded."""

    def __init__(self, folder: Path, archives: Path, programs: Programs) -> None:
        self._folder = folder
        self._archives = archives
        self._programs = programs

    def update(self) -> None:
        """Get the lists of packages."""
        for name in ("lists/partial", "preferences.d", "apt.conf.d", "sources.list.d"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._archives / "partial").mkdir(parents=True, exist_ok=True)
        (self._folder / "status").touch()
        settings = _SETTINGS.format(folder=self._folder, archives=self._archives, architecture=_ARCHITECTURE)
        (self._folder / "apt.conf").write_text(settings)
        keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (self._folder / "sources.list").write_text(f"deb [signed-by={keys}] {self._mirror()} {SUITE} main\n")
        self._apt("apt-get", "--quiet", "update")

    def kernel(self) -> str:
        """The package that `linux-image-cloud-amd64` stands for today: it has NSM and virtio-vsock."""
        answer = self._apt("apt-cache", "depends", f"linux-image-cloud-{_ARCHITECTURE}")
        found = _KERNEL.search(answer)
        if found is None:
            raise InputRefused(f"expected a kernel linux-image-cloud-{_ARCHITECTURE} in {SUITE}, got none")
        return found[1]

    def with_dependencies(self, names: Sequence[str]) -> list[Package]:
        """``names`` and all that they need, downloaded."""
        plan = self._apt("apt-get", "--simulate", "install", *names)
        self._apt("apt-get", "--quiet", "--yes", "--download-only", "install", *names)
        return [self._downloaded(*found) for found in _INSTALLED.findall(plan)]

    def alone(self, name: str) -> Package:
        """One package without what it needs, downloaded."""
        answer = self._apt("apt-cache", "show", "--no-all-versions", name)
        fields = dict(line.split(": ", 1) for line in answer.splitlines() if re.match(r"[\w-]+: ", line))
        self._fetch(f"{name}={fields['Version']}")
        return self._downloaded(name, fields["Version"], fields["Architecture"])

    def again(self, packages: Sequence[Package]) -> None:
        """Download the recorded packages that are missing. Raises InputRefused for one that the mirror has no more."""
        missing = [package for package in packages if not holds(self._archives, package)]
        if missing:
            self.update()
            self._fetch(*(f"{package.name}={package.version}" for package in missing))
        for package in missing:
            require(self._archives, package)

    def _fetch(self, *versions: str) -> None:
        """Into the cache: apt writes these into its working folder."""
        self._apt("apt-get", "--quiet", "download", *versions, working_folder=self._archives)

    def _downloaded(self, name: str, version: str, architecture: str) -> Package:
        file = f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
        return Package(name, version, sha256_of(self._archives / file), file)

    def _apt(self, *command: str, working_folder: Path | None = None) -> str:
        settings = {**self._programs.environment, "APT_CONFIG": str(self._folder / "apt.conf")}
        return replace(self._programs, environment=settings).run(*command, working_folder=working_folder)

    def _mirror(self) -> str:
        """The one that this machine is configured to use for Debian. Raises InputRefused when it has none."""
        fields = ("--format", "$(SITE)", "Label: Debian", "Identifier: Packages")
        for site in self._programs.run("apt-get", "indextargets", *fields).splitlines():
            return site
        raise InputRefused("expected a mirror of Debian in this machine's apt sources, got none")


def write_repository(folder: Path, archives: Path, packages: Sequence[Package], programs: Programs) -> None:
    """A folder from which apt installs exactly these packages. Raises InputRefused when one is not as recorded."""
    folder.mkdir()
    with (folder / "Packages").open("w", encoding="utf-8") as index:
        for package in packages:
            path = require(archives, package)
            control = control_of(path, package, programs)
            (folder / package.file).hardlink_to(path)
            index.write(f"{control}\nFilename: ./{package.file}\n")
            index.write(f"Size: {path.stat().st_size}\nSHA256: {package.sha256}\n\n")


def control_of(path: Path, package: Package, programs: Programs) -> str:
    """What a .deb says of itself. Raises InputRefused unless the record calls it the same."""
    control = programs.run("dpkg-deb", "--field", path).rstrip()
    lines = control.splitlines()
    for line in (f"Package: {package.name}", f"Version: {package.version}"):
        if line not in lines:
            raise InputRefused(f"{package.file}: expected {line!r} in it as recorded, got another package")
    return control
