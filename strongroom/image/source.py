"""Which commit a checkout is of, and what of an image's source is not as committed."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec

from strongroom.image.measured import names_of

_INPUTS: Final = (
    "Dockerfile.enclave",
    ".dockerignore",
    "deploy/init",
    "deploy/prune-image.sh",
    "requirements/enclave.txt",
    "strongroom/image",
)
_PASSED_ON = ("GIT_CONFIG", "GIT_EXEC_PATH")  # of git's own variables: whose checkouts it may trust, and where it is
_GIT_S: Final = 60.0
_SHOWN: Final = 10
_SHORT: Final = 12
_SHA1_DIGITS: Final = 40
_QUOTED: Final = 200


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


def source_of(checkout: Path, say: Callable[[str], None] = lambda _line: None) -> Source | None:
    """What a folder is of, told in one line; None where git does not know, and nothing is told where it has no part.

    The bytes are compared, and not what git's index, settings and ignored names make of them: those are built from.
    """
    if not (checkout / ".git").exists():
        return None
    try:
        commit = _git(checkout, "rev-parse", "--verify", "HEAD").strip()
        committed = dict(_committed(_git(checkout, "ls-tree", "-r", "-z", "--full-tree", commit)))
        names = {*names_of(checkout), *_files(checkout, committed)}
        changed = [_text(name) for name in names if not _is(checkout / name, committed.get(name))]
    except (OSError, subprocess.SubprocessError) as error:
        say(f"source: unknown, for git did not tell: {_why(error)}")
        return None
    source = Source(commit, tuple(sorted(changed)))
    say(f"source: {source}")
    return source


def _committed(tree: str) -> Iterator[tuple[str, str]]:
    """Name and object of each file."""
    for entry in filter(None, tree.split("\0")):
        attributes, name = entry.split("\t", 1)
        yield name, attributes.split()[2]


def _files(checkout: Path, committed: dict[str, str]) -> Iterator[str]:
    """What else an image is made of: all that is there, or was when it was committed."""
    for name in _INPUTS:
        yield from (each for each in committed if each == name or each.startswith(f"{name}/"))
        for path in (checkout / name, *(checkout / name).rglob("*")):
            if path.is_file() and path.parent.name != "__pycache__":
                yield path.relative_to(checkout).as_posix()


def _is(path: Path, committed: str | None) -> bool:
    """Whether the file has the content of that object."""
    if committed is None or not path.is_file():
        return False
    content = path.read_bytes()
    hashed = hashlib.sha1 if len(committed) == _SHA1_DIGITS else hashlib.sha256
    return hashed(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == committed


def _text(name: str) -> str:
    return os.fsencode(name).decode(errors="replace")


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError) and error.stderr:
        return str(error.stderr.decode(errors="replace").splitlines()[0][:_QUOTED])
    return str(error)[:_QUOTED]


def _git(checkout: Path, *arguments: str) -> str:
    """Of this checkout, whatever other one the environment names, as that of a hook does, or lies around it."""
    others = [name for name in os.environ if name.startswith("GIT_") and not name.startswith(_PASSED_ON)]
    kept = {name: value for name, value in os.environ.items() if name not in others}
    environment = {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_CEILING_DIRECTORIES": str(checkout.resolve().parent)}
    command = ["git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=_GIT_S, check=True)
    return os.fsdecode(done.stdout)
