"""Which commit a checkout is of, and what of an image's source is not as committed."""

import os
import subprocess
from pathlib import Path
from typing import Annotated, Final

import msgspec

from strongroom.image.measured import MEASURED

_INPUTS: Final = (
    *MEASURED,
    "Dockerfile.enclave",
    ".dockerignore",
    "deploy/init",
    "deploy/prune-image.sh",
    "requirements/enclave.txt",
    "strongroom/image",
)
_GIT_S: Final = 60.0
_SHOWN: Final = 10
_SHORT: Final = 12


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A commit, and the files that an image is made of and that are not as it has them."""

    commit: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40,64}\Z")]
    changed: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line for whoever builds."""
        commit = f"commit {self.commit[:_SHORT]}"
        if not self.changed:
            return f"{commit}, as committed"
        more = len(self.changed) - _SHOWN
        names = ", ".join(self.changed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"{commit}, but not as committed: {names}"


def source_of(checkout: Path) -> Source | None:
    """What git says of a folder; None where there is no git, or the folder is not the top of a checkout of its."""
    if not (checkout / ".git").exists():
        return None
    try:
        commit = _git(checkout, "rev-parse", "--verify", "HEAD").strip()
        changes = _git(checkout, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *_INPUTS)
    except (OSError, subprocess.SubprocessError):
        return None
    return Source(commit, tuple(sorted(entry[3:] for entry in changes.split("\0") if entry)))


def _git(checkout: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # nothing is written into the checkout
    command = ["git", "--literal-pathspecs", "-C", str(checkout), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=_GIT_S, check=True)
    return done.stdout.decode(errors="replace")
