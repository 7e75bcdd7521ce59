"""What every device program does: listen, tell that it listens, serve one front end, end."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

from strongroom.process import emit
from strongroom.simulator.vhost.backend import Backend, Device
from strongroom.simulator.vhost.errors import DeviceFault
from strongroom.simulator.vhost.loop import READ, Loop
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen


def run(path: Path, device: Callable[[Loop], Device]) -> int:
    """Serve the first front end that connects to `path`; the exit code: 0 at its end, 1 for a fault of either side."""
    loop = Loop()
    listener = listen(UnixAddress(path))
    backends: list[Backend] = []

    def accept(_: int) -> None:
        loop.forget(listener.fileno())
        backends.append(Backend(served, _accepted(listener), loop))

    served = device(loop)
    loop.watch(listener.fileno(), READ, accept)
    emit("listening", socket=str(path))
    try:
        loop.run()
    except DeviceFault as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    return 0


def _accepted(listener: socket.socket) -> socket.socket:
    with listener:
        return listener.accept()[0]
