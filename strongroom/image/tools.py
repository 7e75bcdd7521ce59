"""Other people's programs in the foreground: what they tell is the user's, what they answer is bounded and ours."""

import shutil
import subprocess
import sys
from collections.abc import Sequence

from strongroom.image.errors import ProgramFailed, ProgramMissing

MAX_ANSWER_BYTES = 64 * 1024
_PROBE_S = 30  # an engine that hangs is none


def require(name: str, advice: str, probe: Sequence[str]) -> None:
    """The program is on PATH, and `probe`, arguments that show whether it can work, succeeds. Raises ProgramMissing."""
    if shutil.which(name) is None:
        raise ProgramMissing(f"no {name}; {advice}")
    if not _succeeds([name, *probe]):
        raise ProgramMissing(f"no usable {name} ('{name} {' '.join(probe)}' fails); {advice}")


def _succeeds(command: Sequence[str]) -> bool:
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=_PROBE_S, check=False)
    except (subprocess.TimeoutExpired, OSError):
        return False
    return done.returncode == 0


def run(command: Sequence[str]) -> None:
    """To its end; what it prints goes to standard error, for our output is an answer. Raises ProgramFailed, OSError."""
    _check(command, subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode)


def answer_of(command: Sequence[str]) -> bytes:
    """What it prints on standard output; its standard error is the user's. Raises ProgramFailed, OSError."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            answer = process.stdout.read(MAX_ANSWER_BYTES + 1) if process.stdout else b""
            if len(answer) > MAX_ANSWER_BYTES:
                expected = f"an answer of at most {MAX_ANSWER_BYTES} bytes"
                raise ProgramFailed(f"{_name(command)}: expected {expected}, got more")
            process.wait()
        except BaseException:  # whoever ends us ends it too
            process.kill()
            raise
    _check(command, process.returncode)
    return answer


def _check(command: Sequence[str], exit_code: int) -> None:
    if exit_code:
        raise ProgramFailed(f"{_name(command)}: expected exit code 0, got {exit_code}; it says why above")


def _name(command: Sequence[str]) -> str:
    return " ".join(command[:2])
