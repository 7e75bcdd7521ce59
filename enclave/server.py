"""Composing the enclave: three listeners, the boot sequence, and the one way out - the end of the process.

`control` and `log` listen from the start, `api` from READY on. Whoever composes it injects the NSM and the right to
set the system's clock; there is no switch for either here.
"""

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Coroutine, Iterator
from typing import Final

import uvicorn

from enclave.addresses import Addresses
from enclave.asgi import App
from enclave.boot.control import ControlApp
from enclave.boot.sequence import BootSequence
from enclave.clock import REFRESH_DEADLINE_S, REFRESH_S, SetSystemClock
from enclave.connections import BoundedProtocol
from enclave.engine.capacity import Capacity
from enclave.engine.engine import Engine
from enclave.engine.telemetry import forbid_telemetry
from enclave.errors import ClockFault, Fatal
from enclave.log import EnclaveLog, LogEvent
from enclave.nsm.interface import NSM, NSMError
from enclave.serving.api import APIApp
from enclave.serving.service import InferenceService
from enclave.threads import running_pool
from strongroom.protocol.constants import BootState
from strongroom.transport.sockets import listen

EXIT_TERMINATED: Final = 0
EXIT_REFUSED: Final = 70

_TIMELESS: Final = (BootState.BOOTED, BootState.CONFIGURED)  # the clock starts with the identity, at CATALOGUED
_ENGINE_THREADS: Final = 2
_WAITING_THREADS: Final = 6  # for what blocks: the NSM, KMS, loading; asyncio itself has as many on two cores
_GRACE_S: Final = 0.2  # time for a reader of the log port to take the last line
_EXIT_DEADLINE_S: Final = 2.0


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the enclave has one, for all listeners."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: App, max_connections: int) -> _Server:
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=max_connections,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    return _Server(config)


class Enclave:
    """One boot of the enclave, from open control port to exit code."""

    def __init__(self, nsm: NSM, addresses: Addresses, set_system_clock: SetSystemClock | None = None) -> None:
        self._addresses = addresses
        self._log = EnclaveLog()
        self._engine = Engine(Capacity(threads=_ENGINE_THREADS))
        self._boot = BootSequence(nsm, addresses.proxy, self._engine, self._log, set_system_clock)
        self._timekeeper = running_pool(1, "clock")  # apart: callers that ask for documents keep the others busy
        self._ended = asyncio.Event()
        self._exit_code = EXIT_TERMINATED

    async def run(self) -> int:
        """Serve until SIGTERM (0) or until the enclave refuses to go on (70)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._ended.set)
        log_server = await asyncio.start_server(self._log.stream, sock=listen(self._addresses.log))
        control = ControlApp(self._boot, self._log, self._end)
        tasks = [
            self._spawn(self._serve(_server(control, 64), listen(self._addresses.control))),
            self._spawn(self._serve_api()),
            self._spawn(self._keep_time()),
        ]
        self._log.write(LogEvent.STATE, state=self._boot.state.value)
        await self._ended.wait()
        self._boot.end()
        _exit_within(_EXIT_DEADLINE_S, self._exit_code)
        await asyncio.sleep(_GRACE_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log_server.close()
        self._engine.close()
        self._timekeeper.shutdown(wait=False)
        return self._exit_code

    def _end(self, code: str) -> None:
        """Refuse to go on: no step, no service from here on; the process ends. What ended it first is what counts."""
        if self._ended.is_set():
            return
        self._boot.end()
        self._log.write(LogEvent.ENDED, code=code)
        self._exit_code = EXIT_REFUSED
        self._ended.set()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        """A part of the enclave is over: without it there is no enclave, even if it raised nothing."""
        if not task.cancelled():
            task.exception()
            self._end("internal")

    async def _serve(self, server: _Server, listener: socket.socket) -> None:
        try:
            await server.serve(sockets=[listener])
        finally:
            listener.close()

    async def _serve_api(self) -> None:
        await self._boot.ready.wait()
        service = InferenceService(self._boot, self._engine, self._log)
        app = APIApp(self._boot, service, self._log)
        connections = 4 * self._boot.configuration.limits.max_in_flight + 16
        publishing = self._spawn(service.metrics.run())
        try:
            await self._serve(_server(app, connections), listen(self._addresses.api))
        finally:
            publishing.cancel()
            service.close()

    async def _keep_time(self) -> None:
        """Refresh the time for as long as there is one, however long a step of the boot takes (review R19)."""
        while True:
            await asyncio.sleep(REFRESH_S)
            if self._boot.state not in _TIMELESS:
                await self._refresh_time()

    async def _refresh_time(self) -> None:
        loop, refresh = asyncio.get_running_loop(), self._boot.identity.evidence.refresh_clock
        try:
            async with asyncio.timeout(REFRESH_DEADLINE_S):
                await loop.run_in_executor(self._timekeeper, refresh)
        except Fatal as error:
            self._end(error.code)
        except NSMError:
            self._end("nsm-error")
        except TimeoutError:
            self._end(ClockFault.code)


def _exit_within(deadline_s: float, code: int) -> None:
    """End the process even if a thread of KMS's client or of a model does not: the host decides how long those wait."""
    timer = threading.Timer(deadline_s, os._exit, (code,))
    timer.daemon = True
    timer.start()


def run(nsm: NSM, addresses: Addresses, set_system_clock: SetSystemClock | None = None) -> int:
    """Run one boot to its end and give the exit code of the process. Raises TelemetryNotDisabled, MemoryError.

    `set_system_clock` is the image's; a machine that is shared with others keeps its own time.
    """
    forbid_telemetry()

    async def main() -> int:
        asyncio.get_running_loop().set_default_executor(running_pool(_WAITING_THREADS, "blocking"))
        return await Enclave(nsm, addresses, set_system_clock).run()

    return asyncio.run(main())
