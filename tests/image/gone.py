"""Processes that must not outlive what started them."""

import time
from collections.abc import Iterable
from pathlib import Path

_PATIENCE_S = 5.0  # one has closed its files, which ended a wait, and is about to be gone


def wait_gone(pids: Iterable[int]) -> None:
    """Fail for one that goes on."""
    deadline = time.monotonic() + _PATIENCE_S
    for pid in pids:
        while not _is_gone(pid):
            assert time.monotonic() < deadline, f"process {pid} goes on"
            time.sleep(0.01)


def _is_gone(pid: int) -> bool:
    """Or ended and not reaped: in a container nobody may."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
