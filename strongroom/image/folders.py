"""Where a build of the local image reads, and what it leaves where."""

from dataclasses import dataclass
from pathlib import Path

from strongroom.image.local_parts import LocalParts


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

    @property
    def work(self) -> Path:
        """Gone when a build has ended well; else it holds `log`."""
        return self.output / "build"
