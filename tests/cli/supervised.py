"""`strongroom enclave run` in a process of its own, and what it says."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.running import invoked


@contextmanager
def started(folder: Path, *options: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """It, in that folder, with `--json`; asked to end, unless it has."""
    command = [sys.executable, "-m", "strongroom", "enclave", "run", *map(str, options), "--json"]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe) as running:
        try:
            yield running
        finally:
            running.terminate()
            running.communicate(timeout=30)


def until(running: subprocess.Popen[bytes], event: str, **fields: object) -> dict[str, Any]:
    """The next line of that event with those fields; when it ends before, its standard error is the failure."""
    assert running.stdout is not None
    for line in running.stdout:
        said: dict[str, Any] = json.loads(line)
        if said.get("event") == event and fields.items() <= said.items():
            return said
    assert running.stderr is not None
    raise AssertionError(running.stderr.read().decode())


def status(state: Path) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `enclave status`."""
    done = invoked("enclave", "status", "--state", state, "--json")
    return done.returncode, json.loads(done.stdout)
