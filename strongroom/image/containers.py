"""A Dockerfile built without docker: a base by mmdebstrap, the rest by buildah, both in a folder that is then removed.

buildah's chroot isolation needs no more rights than a user namespace gives. What is built sees one repository of
Debian's packages and one folder of wheels, those of the record, and is told of no other.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.image.debian import SUITE
from strongroom.image.errors import InputRefused
from strongroom.image.programs import Programs

_BASE = "localhost/strongroom-base"
_REPOSITORY = "deb [trusted=yes] copy:{} ./"


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """What an EIF is made from: the file system and how its application starts."""

    rootfs: Path
    command: tuple[str, ...]
    environment: tuple[str, ...]
    """`NAME=VALUE` each."""


class Builder:
    """Builds images from one set of packages. Its folder must be readable for whoever runs the programs."""

    def __init__(self, programs: Programs, packages: Path, wheels: Path) -> None:
        self._programs = programs
        self._folder = programs.folder
        self._packages = packages
        self._wheels = wheels

    def make_base(self) -> str:
        """Debian's essential packages and apt, as `NAME@sha256:…`: the base that Dockerfiles ask for."""
        tree = self._folder / "base.tar"
        sources = f"echo '{_REPOSITORY.format('/packages')}' > \"$1/etc/apt/sources.list\""
        self._programs.run(
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=apt",
            "--skip=chroot/mount,output/dev,output/mknod",  # a user namespace may do neither
            f"--customize-hook={sources}",
            SUITE,
            tree,
            _REPOSITORY.format(f"//{self._packages}"),
        )
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, tree, "/")
        self._buildah("config", "--cmd", "sh", container)
        self._buildah("commit", "--quiet", "--rm", "--timestamp", "0", container, _BASE)
        tree.unlink()
        digests = self._buildah("images", "--digests", "--format", "{{.Name}}@{{.Digest}}", _BASE)
        return digests.splitlines()[0]

    def build(self, dockerfile: Path, context: Path, base: str) -> BuiltImage:
        """Build the last stage of a Dockerfile on ``base``."""
        tag = dockerfile.name.lower()
        mounts = {self._packages: "/packages", self._wheels: "/wheels", self._wheels / "pip.conf": "/etc/pip.conf"}
        self._buildah(
            "build",
            "--isolation=chroot",
            "--network=host",  # the only one with this isolation; nothing in the container knows an address
            "--timestamp=0",
            f"--build-arg=BASE={base}",
            *(f"--volume={source}:{target}:ro" for source, target in mounts.items()),
            f"--file={dockerfile}",
            f"--tag={tag}",
            str(context),
        )
        configuration = json.loads(self._buildah("inspect", "--type=image", tag))["Docker"]["config"]
        rootfs = Path(self._buildah("mount", self._buildah("from", tag)))
        return _built(rootfs, configuration.get("Cmd"), configuration.get("Env") or ())

    def _buildah(self, *arguments: str | Path) -> str:
        places = {"root": "storage", "runroot": "run", "short-name-alias-conf": "aliases.conf"}
        options = [f"--{option}={self._folder / name}" for option, name in places.items()]
        return self._programs.run("buildah", *options, "--storage-driver=vfs", *arguments).strip()


def _built(rootfs: Path, command: Sequence[str] | None, environment: Sequence[str]) -> BuiltImage:
    """nitro-cli takes ENTRYPOINT only where there is no CMD; the Dockerfiles here have a CMD."""
    if not command:
        raise InputRefused("image: expected a CMD, got none")
    return BuiltImage(rootfs, tuple(command), tuple(environment))
