"""Other people's programs in the foreground: what they tell is the user's, what they answer is bounded and ours."""

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import IO

from strongroom.image.errors import ProgramFailed, ProgramMissing
from strongroom.image.processes import started

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
        with started(command, stdout=quiet, stderr=quiet) as process:
            return process.wait(_PROBE_S) == 0
    except (subprocess.TimeoutExpired, OSError):
        return False


def run(command: Sequence[str]) -> None:
    """To its end; what it prints goes to standard error, for our output is an answer. Raises ProgramFailed, OSError."""
    try:
        with started(command, stdout=sys.stderr) as process:
            process.wait(_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise _hangs(command) from None
    _check(command, process.returncode)


def answer_of(command: Sequence[str]) -> bytes:
    """What it prints on standard output; its standard error is the user's. Raises ProgramFailed, OSError."""
    deadline = time.monotonic() + _LIMIT_S
    try:
        with started(command, stdout=subprocess.PIPE) as process:
            answer = b"" if process.stdout is None else _read(process.stdout, command, deadline)
            process.wait(_left(deadline))
    except subprocess.TimeoutExpired:
        raise _hangs(command) from None
    _check(command, process.returncode)
    return answer


def _read(stream: IO[bytes], command: Sequence[str], deadline: float) -> bytes:
    answer = b""
    while len(answer) <= MAX_ANSWER_BYTES:
        if not select.select([stream], [], [], _left(deadline))[0]:
            raise subprocess.TimeoutExpired(command, _LIMIT_S)
        piece = os.read(stream.fileno(), MAX_ANSWER_BYTES)
        if not piece:
            return answer
        answer += piece
    stream.close()  # who goes on writing ends here
    raise ProgramFailed(f"{_name(command)}: expected an answer of at most {MAX_ANSWER_BYTES} bytes, got more")


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _hangs(command: Sequence[str]) -> ProgramFailed:
    minutes = f"{_LIMIT_S / 60:g} minutes"
    return ProgramFailed(f"{_name(command)}: expected an end within {minutes}, got none; it and its children are ended")


def _check(command: Sequence[str], exit_code: int) -> None:
    if exit_code:
        raise ProgramFailed(f"{_name(command)}: expected exit code 0, got {exit_code}; it says why above")


def _name(command: Sequence[str]) -> str:
    return " ".join(command[:2])
