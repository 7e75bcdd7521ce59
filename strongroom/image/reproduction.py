"""Two builds of the same recorded packages, as unlike each other as one machine allows, compared."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.image.differences import first_difference
from strongroom.image.elsewhere import FIRST_ID
from strongroom.image.errors import ProgramFailed
from strongroom.image.folders import Folders, leave_log
from strongroom.image.local import Say, build, build_held, require_checkout
from strongroom.image.programs import Programs
from strongroom.image.record import Record

_ELSEWHERE: Final = (sys.executable, "-m", "strongroom.image.elsewhere")
_ENVIRONMENT: Final = {"TZ": "Pacific/Kiritimati", "USER": "somebody", "LANGUAGE": "tr"}
_CONTEXT: Final = (
    "Dockerfile.enclave",
    ".dockerignore",
    "attestation",
    "deploy",
    "enclave",
    "requirements",
    "strongroom",
)


@dataclass(frozen=True, slots=True)
class Reproduction:
    """PCR0 to PCR2 of both builds, what differs first if anything does, and under what the second was made."""

    pcrs: Mapping[int, bytes]
    pcrs_again: Mapping[int, bytes]
    difference: str | None
    conditions: str

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.difference is None and self.pcrs == self.pcrs_again


def build_twice(folders: Folders, record: Record | None, say: Say) -> Reproduction:
    """Build, and again in a folder below, elsewhere; the second from what the first recorded.

    Raises ImageError, EIFError, OSError.
    """
    require_checkout(folders.checkout)
    with folders.held():
        place = _new_folder(folders.output / "again") / "in-another-folder"
        try:
            return _build_twice(folders, place, record, say)
        except BaseException:
            leave_log(place / "programs")
            raise


def _build_twice(folders: Folders, place: Path, record: Record | None, say: Say) -> Reproduction:
    with _strict_umask():
        _new_folder(place)
        programs, conditions = _somebody_else(_new_folder(place / "programs"))
        copy = _copied(folders.checkout, place / "copy", programs)  # now: the checkout may change in the meantime
    image = build_held(folders, record, programs=None, say=say)
    say(f"building again: {conditions}")
    copied = Folders(copy, place / "output", shared_cache=folders.output / "cache")
    with _strict_umask():
        again = build(copied, image.record, programs=programs, say=say)
    found = Reproduction(image.pcrs, again.pcrs, first_difference(folders.parts, copied.parts), conditions)
    shutil.rmtree(place.parent if found.equal else programs.folder)  # of two that differ, both are worth a look
    return found


def _new_folder(path: Path) -> Path:
    """A folder that others may enter, whatever the umask."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    path.chmod(0o755)
    return path


@contextmanager
def _strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _somebody_else(folder: Path) -> tuple[Programs, str]:
    """What runs programs as another user of another host, where this machine lets us; else as ourselves."""
    same = f"folder {folder.parent.name}, umask 077, time zone {_ENVIRONMENT['TZ']}"
    os.chown(folder, FIRST_ID, FIRST_ID)
    programs = Programs(folder, _ELSEWHERE, _ENVIRONMENT)
    try:
        programs.run("test", "-w", folder)
    except ProgramFailed:
        os.chown(folder, os.getuid(), os.getgid())
        return Programs(folder, environment=_ENVIRONMENT), f"{same}; same user and host, others are not possible here"
    return programs, f"{same}, user {FIRST_ID} in a user namespace, host elsewhere"


def _copied(checkout: Path, copy: Path, programs: Programs) -> Path:
    """The files of the checkout that are built from, with the modes that the umask leaves and another owner."""
    copy.mkdir()
    for name in _CONTEXT:
        source = checkout / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, copy / name, copy_function=shutil.copyfile, ignore=ignored)
        else:
            shutil.copyfile(source, copy / name)
    owner = programs.folder.stat()
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.chown(path, owner.st_uid, owner.st_gid)
    return copy
