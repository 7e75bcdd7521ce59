"""Other people's programs in the foreground: what they tell is the user's, what they answer is bounded and ours."""

import shutil
import subprocess
import sys
from collections.abc import Sequence

from strongroom.foreign.bounded import OutOfBounds, run_bounded
from strongroom.foreign.started import Stream
from strongroom.image.errors import ProgramFailed, ProgramMissing

MAX_ANSWER_BYTES = 64 * 1024
_PROBE_S = 30  # an engine that hangs is none
_LIMIT_S = 30 * 60.0  # a first build downloads some 300 MB, and nitro-cli copies the image a few times


def require(name: str, advice: str, probe: Sequence[str]) -> None:
    """The program is on PATH, and `probe`, arguments that show whether it can work, succeeds. Raises ProgramMissing."""
    if shutil.which(name) is None:
        raise ProgramMissing(f"no {name}; {advice}")
    if not _succeeds([name, *probe]):
        raise ProgramMissing(f"no usable {name} ('{name} {' '.join(probe)}' fails); {advice}")


def _succeeds(command: Sequence[str]) -> bool:
    quiet = subprocess.DEVNULL
    try:
        return run_bounded(command, timeout_s=_PROBE_S, max_bytes=0, stdout=quiet, stderr=quiet).exit_code == 0
    except (OutOfBounds, OSError):
        return False


def run(command: Sequence[str]) -> None:
    """To its end; what it prints goes to standard error, for our output is an answer. Raises ProgramFailed, OSError."""
    _run(command, sys.stderr)


def answer_of(command: Sequence[str]) -> bytes:
    """What it prints on standard output; its standard error is the user's. Raises ProgramFailed, OSError."""
    return _run(command, subprocess.PIPE)


def _run(command: Sequence[str], stdout: Stream) -> bytes:
    try:
        ended = run_bounded(command, timeout_s=_LIMIT_S, max_bytes=MAX_ANSWER_BYTES, stdout=stdout, stderr=None)
    except OutOfBounds as error:
        raise ProgramFailed(f"{_name(command)}: {error}; it and its children are ended") from None
    _check(command, ended.exit_code)
    return ended.output


def _check(command: Sequence[str], exit_code: int) -> None:
    if exit_code:
        raise ProgramFailed(f"{_name(command)}: expected exit code 0, got {exit_code}; it says why above")


def _name(command: Sequence[str]) -> str:
    return " ".join(command[:2])
