"""Where a build of the local image reads, and what it leaves where."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.image.errors import InputRefused
from strongroom.image.local_parts import LocalParts

_USABLE: Final = re.compile(r"[\w/.+=@~-]+")  # apt takes no space in a source, buildah no colon in a volume


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a build reads and writes: all below one folder, apart from the checkout."""

    checkout: Path
    output: Path
    shared_cache: Path | None = None
    """That of another build; its own if there is none."""

    @property
    def debian(self) -> Path:
        """Every .deb that a build has downloaded."""
        return (self.shared_cache or self.output / "cache") / "debian"

    @property
    def wheels(self) -> Path:
        """Every wheel, likewise."""
        return (self.shared_cache or self.output / "cache") / "wheels"

    @property
    def parts(self) -> LocalParts:
        """What the EIF is put together from."""
        return LocalParts(self.output / "parts")

    @property
    def record(self) -> Path:
        """The packages that it was built from."""
        return self.output / "packages.json"

    @property
    def eif(self) -> Path:
        """The image."""
        return self.output / "strongroom-local.eif"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and keep other builds out of it. Raises InputRefused for one in use or ill-named."""
        if not _USABLE.fullmatch(str(self.output)):
            raise InputRefused(
                f"expected a path of letters, digits and /.+=@~_- for apt and buildah, got {self.output}"
            )
        self.output.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.output, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _lock(descriptor, self.output)
            yield
        finally:
            os.close(descriptor)

    @property
    def work(self) -> Path:
        """Gone when a build has ended well; else it holds nothing but `log`."""
        return self.output / "build"


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputRefused(f"{folder}: expected a folder that no other build writes to, got one in use") from None


def leave_log(folder: Path) -> None:
    """Remove all of a folder but its `log`, which says why a build ended; what cannot be removed stays."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "log":
            path.unlink(missing_ok=True)
