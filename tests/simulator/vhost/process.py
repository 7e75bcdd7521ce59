"""A device program as a process."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VSOCK = ["strongroom.simulator.vhost.vsock", "--at=v", "--guest-cid=16"]


@contextmanager
def program(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """The process, and a front end that is connected to it."""
    command = [sys.executable, "-m", *arguments, "--socket=device"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=folder, text=True, **pipes) as process, socket.socket(socket.AF_UNIX) as front:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"event": "listening", "socket": "device"}
        front.settimeout(10)
        front.connect(str(folder / "device"))
        yield process, front
