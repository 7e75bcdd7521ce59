"""How the engine starts a process of its own for a graph that may end it."""

import os
import subprocess
import sys

from enclave.engine.telemetry import VARIABLE

_OPTIONS = ("-B", "-P", "-s", "-S")


def start(command: tuple[str, ...], stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A child that runs a module of ours (`("-m", name)`), with pipes without buffers for what is said and heard.

    It inherits none of our descriptors, and no more of our environment than it needs. Raises OSError.
    """
    environment = {
        VARIABLE: "1",
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
        "OPENBLAS_NUM_THREADS": "1",  # a thread and an arena reserve address space, which is what is limited
        "MALLOC_ARENA_MAX": "1",
    }
    return subprocess.Popen(
        [sys.executable, *_OPTIONS, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
        cwd="/",
        env=environment,
    )
