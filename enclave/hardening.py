"""What the process gives up before it touches anything: environment, dumps, tracebacks (threats A12, C10)."""

import ctypes
import logging
import os
import resource
import sys
import threading
from pathlib import Path
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_KERNEL_BYTES: Final = 64 << 20
_OPENSSL_CONF: Final = Path(__file__).parent / "kms" / "hybrid.cnf"


def clear_environment() -> None:
    """Forget every variable the parent could have set, keep onnxruntime's telemetry off, name OpenSSL's configuration.

    OpenSSL reads its own when it is first used: this comes before anything that imports ssl or hashlib.
    """
    os.environ.clear()
    os.environ["OPENSSL_CONF"] = str(_OPENSSL_CONF)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def forbid_dumps() -> None:
    """No core file, no ptrace by another process of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def bound_memory(memory_bytes: int) -> None:
    """Let what the process allocates fail above this many bytes.

    What a request makes of a graph can ask for any amount of memory. Beyond the bound it is that request's error;
    without one, the kernel would end the enclave.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def free_memory_bytes() -> int:
    """What the machine has left now, less a reserve for its kernel."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") - _KERNEL_BYTES


def silence() -> None:
    """No log record and no traceback leaves the process: an exception's text can hold content.

    What operators need goes through `enclave.log`, whose fields are allow-listed.
    """
    logging.disable(logging.CRITICAL)
    sys.excepthook = _print_type_only
    threading.excepthook = lambda thrown: _print_type(thrown.exc_type)
    sys.unraisablehook = lambda thrown: _print_type(thrown.exc_type)


def _print_type_only(kind: type[BaseException], _error: BaseException, _traceback: object) -> None:
    _print_type(kind)


def _print_type(kind: type[BaseException]) -> None:
    print(f"error: {kind.__name__}", file=sys.stderr)
