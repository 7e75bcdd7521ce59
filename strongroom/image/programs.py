"""Other people's programs in the background: what they say goes to a log, and its last lines tell why one failed."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.foreign.started import started
from strongroom.image.errors import ProgramFailed, ProgramMissing

_PACKAGES = {"dpkg-deb": "dpkg", "apt-get": "apt", "apt-cache": "apt"}  # the others are called like their program
_QUOTED_LINES = 5


@dataclass(frozen=True)
class Programs:
    """Runs programs in one folder, which is their home; what they print goes to its `log`.

    ``prefix`` is a command that runs them: it is how a second build runs as somebody else.
    """

    folder: Path
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *command: str | Path, working_folder: Path | None = None) -> str:
        """Standard output, when the program is there and ends well. Raises ProgramFailed with its last lines."""
        arguments = [*self.prefix, *map(str, command)]
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            begin = log.tell()
            try:
                with started(
                    arguments,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    folder=working_folder or self.folder,
                    environment=self._environment(),
                ) as process:
                    answer, _ = process.communicate()
            except FileNotFoundError:
                raise _missing(str(command[0])) from None
            log.write(answer)
        if process.returncode:
            raise self._failure(str(command[0]), process.returncode, begin)
        return answer.decode(errors="replace")

    @property
    def log(self) -> Path:
        """What was run, and what it said."""
        return self.folder / "log"

    def _environment(self) -> dict[str, str]:
        """The caller's, for proxies and certificates; no path, language or time of theirs may show in an image."""
        folder = str(self.folder)
        return {**os.environ, "HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8", **self.environment}

    def _failure(self, program: str, code: int, begin: int) -> ProgramFailed:
        lines = self.log.read_bytes()[begin:].decode(errors="replace").splitlines()
        said = " | ".join(line.strip() for line in lines[-_QUOTED_LINES:])
        if code == 127:  # the prefix found no such program
            return _missing(program)
        return ProgramFailed(f"{program} ended with exit code {code}; {self.log} has all of it: {said}")


def _missing(program: str) -> ProgramMissing:
    package = _PACKAGES.get(program, program)
    return ProgramMissing(f"no {program}; on Debian: apt-get install {package}")
