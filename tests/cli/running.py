"""The command line as its users run it, a process of its own with little memory, and in this one."""

import os
import resource
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from strongroom.cli.commands import cli
from strongroom.cli.failures import run

_MEMORY_BYTES = 3 << 30


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def strongroom(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end, 30 seconds at most; `options` are those of `subprocess.run`."""
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1", **options.pop("env", {})}
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": _limited, **options}
    if "input" not in given:
        given.setdefault("stdin", subprocess.DEVNULL)
    command = [sys.executable, "-m", "strongroom", *map(str, arguments)]
    return subprocess.run(command, env=environment, timeout=30, check=False, **given)


def invoked(*arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """A command that starts nothing, as `strongroom` gives it, but in this process: starts cost most."""
    out, error = StringIO(), StringIO()
    with patch.object(sys, "argv", ["strongroom", *map(str, arguments)]), redirect_stdout(out), redirect_stderr(error):
        code = run(cli)
    return subprocess.CompletedProcess(arguments, code, out.getvalue().encode(), error.getvalue().encode())


def failed(done: subprocess.CompletedProcess[bytes], exit_code: int = 2) -> str:
    """The one line on standard error of a command that ended so."""
    error = done.stderr.decode()
    assert "Traceback" not in error
    assert done.returncode == exit_code, error
    [line] = error.splitlines()
    return line


def exported(line: str) -> dict[str, str]:
    """The environment of programs that are started after that line in a shell, one that takes unset names amiss."""
    done = subprocess.run(["sh", "-euc", f"{line}\nenv -0"], capture_output=True, text=True, check=True)
    return dict(each.split("=", 1) for each in done.stdout.rstrip("\0").split("\0"))
