"""What every device program does: listen, tell that it listens, serve one front end, end."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

from strongroom.process import emit
from strongroom.simulator.sockets import listen_at
from strongroom.simulator.vhost.backend import Backend, Device
from strongroom.simulator.vhost.errors import DeviceFault
from strongroom.simulator.vhost.loop import READ, Loop


def run(path: Path, device: Callable[[Loop], Device]) -> int:
    """Serve the first front end that connects to `path`; the exit code: 0 at its end, 1 for a fault, of either side's
    or of this machine's, which is one line.
    """
    try:
        _serve(path, device)
    except (DeviceFault, OSError) as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    return 0


def _serve(path: Path, device: Callable[[Loop], Device]) -> None:
    loop = Loop()
    listener = listen_at(path)
    backends: list[Backend] = []

    def accept(_: int) -> None:
        loop.forget(listener.fileno())
        backends.append(Backend(served, _accepted(listener), loop))

    served = device(loop)
    loop.watch(listener.fileno(), READ, accept)
    emit("listening", socket=str(path))
    loop.run()


def _accepted(listener: socket.socket) -> socket.socket:
    with listener:
        return listener.accept()[0]
