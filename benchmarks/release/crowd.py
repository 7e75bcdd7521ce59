"""Good connections among stalled ones, the shape in which AWS's vsock-proxy hangs at the fifth."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.release.latency import Call, percentile, timed_ms
from benchmarks.release.parts import FLOOD_HOST, Parts
from benchmarks.release.releases import WrongKey
from enclave.errors import EnclaveError
from tests.proxy.stalled import StalledClients

_AT_A_TIME = 32  # more would time the queue in front of the dev KMS, which has one thread
_SETTLE_S = 3.0  # the proxy gives up on a half-spoken destination after 5


@dataclass(frozen=True)
class Crowd:
    """``good_served`` of the good connections got their key, 99 in 100 of these within ``good_p99_ms``.

    ``open_at_once`` is what the proxy counted after the last of them; ``good_p99_ms`` is None when none was served.
    """

    open_at_once: int
    good_served: int
    good_p99_ms: float | None


def crowd(parts: Parts, good: Sequence[Call], stalled: int) -> Crowd:
    """Make the ``good`` calls, each of which opens a connection and keeps it, while ``stalled`` hold their places."""
    with StalledClients(parts.proxy, FLOOD_HOST, 443) as clients, ThreadPoolExecutor(_AT_A_TIME) as threads:
        with contextlib.suppress(OSError):  # those that the proxy does not take are missing from the figures
            clients.open(stalled)
        _wait_until_open(parts, stalled)
        times = [ms for ms in threads.map(_served_ms, good) if ms is not None]
        return Crowd(parts.open_connections(), len(times), percentile(times, 99) if times else None)


def _wait_until_open(parts: Parts, count: int) -> None:
    deadline = time.monotonic() + _SETTLE_S
    while parts.open_connections() < count and time.monotonic() < deadline:
        time.sleep(0.01)


def _served_ms(call: Call) -> float | None:
    try:
        return timed_ms(call)
    except (EnclaveError, WrongKey):
        return None
