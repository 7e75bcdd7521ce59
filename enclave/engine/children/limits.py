"""What a child gives up: called in it, before it reads a graph.

The limits bound what a graph costs. They are no sandbox for code: who takes over onnxruntime in a child has the rights
of the enclave's process, but none of its memory.
"""

import resource
from pathlib import Path

from enclave.engine.telemetry import import_onnxruntime

_MIB, _GIB = 1 << 20, 1 << 30
_FIRST_TO_GO = "1000"
"""The kernel's highest oom_score_adj: where memory is short it ends this process, and not the enclave."""


def address_space_bytes(model_bytes: int) -> int:
    """What a child may take for a graph and its external data of that size together.

    Measured with onnxruntime 1.31 and two threads: an interpreter with a session takes 147 MiB of address space,
    weights 3.0 times their size (the bytes received, the parsed graph, the packed copy). The rest is for activations.
    """
    return 512 * _MIB + 4 * model_bytes


def load_s(model_bytes: int) -> float:
    """How long a child may take on the wall to load them: 2 seconds of CPU per GiB were measured. The rest is for
    its start on an emulated processor (seconds in `make boot-test`), whose clock goes on while the machine waits.
    """
    return 40 + 40 * model_bytes / _GIB


def limit(memory_bytes: int, cpu_s: int | None = None) -> None:
    """Bound the address space, and the CPU time of all threads; no dump, no file, no socket.

    onnxruntime is imported meanwhile: from then on no file is opened.
    """
    Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_FSIZE, 0)
    if cpu_s is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    _set(resource.RLIMIT_AS, memory_bytes)
    import_onnxruntime()
    _set(resource.RLIMIT_NOFILE, 0)


def _set(which: int, most: int) -> None:
    resource.setrlimit(which, (most, most))
