"""Programs that stand in for Debian's: each records how it was called, and answers what a test has said."""

from dataclasses import dataclass
from pathlib import Path

from strongroom.image.programs import Programs


@dataclass(frozen=True)
class Fakes:
    """A folder of executables, first on the path of the programs that a test runs."""

    folder: Path

    def add(self, name: str, body: str = "") -> None:
        """An executable whose calls are recorded; `body` is shell."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.folder}/calls"\n{body}\n')
        path.chmod(0o755)

    def programs(self) -> Programs:
        """What runs them, in a folder of its own."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        return Programs(work, environment={"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin"})

    def calls(self) -> list[str]:
        """How they were called, in order."""
        return (self.folder / "calls").read_text().splitlines()
