"""`deploy.release.sbom` with the release's packages, again and again in one process: its imports take a second."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

WORKER = """\
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from deploy.release.sbom import main
for line in sys.stdin:
    os.environ["SOURCE_DATE_EPOCH"], *sys.argv[1:] = json.loads(line)
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as error:
        code = main()
    print(json.dumps([code, out.getvalue(), error.getvalue()]), flush=True)
"""


class Program:
    """Called like the command, it answers as that would; a context manager, which ends the process."""

    def __init__(self, python: Path, folder: Path) -> None:
        command, environment = [str(python), "-c", WORKER], {"PATH": os.environ["PATH"]}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, text=True)

    def __call__(self, *arguments: str | Path, epoch: str = "1700000000") -> subprocess.CompletedProcess[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([epoch, *map(str, arguments)]), file=self._process.stdin, flush=True)
        return subprocess.CompletedProcess(arguments, *json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=10)
