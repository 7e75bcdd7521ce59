"""The proxy as a process: its sockets, its signals, its log."""

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from proxy.arguments import Arguments, UsageError, parse
from proxy.counters import Counters
from proxy.egress import EgressLimits, EgressProxy
from proxy.metrics import MetricsServer, listen_loopback
from strongroom.process import allow_descriptors, emit
from strongroom.transport.sockets import listen

_REPORT_S = 60.0
_OTHER_DESCRIPTORS = 64
"""Beside two for each connection: listeners, scrapes, lookups, a connection to be refused, the process's own."""


def run(argv: Sequence[str], prog: str) -> None:
    """Serve until SIGTERM or SIGINT. Raises UsageError, also when an address cannot be listened on."""
    arguments = parse(argv, prog)
    asyncio.run(_serve(arguments, EgressProxy(arguments.allow_list, _within_descriptors(arguments.limits))))


def _within_descriptors(limits: EgressLimits) -> EgressLimits:
    """As many connections as the system gives descriptors for: one more is then refused, not left waiting."""
    allow_descriptors(2 * limits.max_connections + _OTHER_DESCRIPTORS)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return limits
    return replace(limits, max_connections=max(1, min(limits.max_connections, (soft - _OTHER_DESCRIPTORS) // 2)))


async def _serve(arguments: Arguments, egress: EgressProxy) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as serving:
        metrics_port: int | None = None
        if arguments.metrics is not None:
            scrapes = _opened("the metrics' address", partial(listen_loopback, *arguments.metrics))
            metrics_port = scrapes.getsockname()[1]
            await serving.enter_async_context(MetricsServer(egress.counters).serving(scrapes))
        listener = _opened(str(arguments.listen), partial(listen, arguments.listen))
        await serving.enter_async_context(egress.serving(listener))
        limit = egress.counters.places.limit
        emit("listening", address=str(arguments.listen), max_connections=limit, metrics_port=metrics_port)
        await _report_until(stop, egress.counters)


def _opened(where: str, open_listener: Callable[[], socket.socket]) -> socket.socket:
    try:
        return open_listener()
    except OSError as error:
        raise UsageError(f"cannot listen on {where}: {error.strerror or error}") from None


async def _report_until(stop: asyncio.Event, counters: Counters) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_REPORT_S):
                await stop.wait()
        with contextlib.suppress(OSError):  # a log that nobody reads must not end the enclave's way out
            counters.report()
