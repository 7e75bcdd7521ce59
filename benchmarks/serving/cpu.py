"""CPU time of processes and of all that they have started."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pids: Collection[int]) -> float:
    """CPU seconds of these processes and their living descendants so far; 0 for those that are gone."""
    children = _children()
    return sum(_own_s(pid) for pid in _with_descendants(pids, children))


def _with_descendants(pids: Collection[int], children: dict[int, list[int]]) -> Iterator[int]:
    for pid in pids:
        yield pid
        yield from _with_descendants(children[pid], children)


def _children() -> dict[int, list[int]]:
    found = defaultdict[int, list[int]](list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            found[int(fields[1])].append(int(entry.name))
    return found


def _own_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if fields else 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name: state, parent, …; none where the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


class Meter:
    """CPU time of some servers and of this process, from its making on."""

    def __init__(self, pids: Collection[int]) -> None:
        self._pids = pids
        self._servers_s, self._own_s = cpu_s(pids), time.process_time()

    def each_ms(self, count: int) -> dict[str, float]:
        """What fell to each of `count` answers, as `cpu_ms` and `client_cpu_ms`."""
        servers_s, own_s = cpu_s(self._pids) - self._servers_s, time.process_time() - self._own_s
        return {"cpu_ms": 1000 * servers_s / max(1, count), "client_cpu_ms": 1000 * own_s / max(1, count)}
