"""The parent's side of an enclave's first sign of life (aws-nitro-enclaves-sdk-bootstrap, init.c).

The image's first process connects to port 9000 of the parent, says one byte and wants it back; else it ends.
"""

import socket
import threading
from contextlib import suppress

from strongroom.simulator.sockets import listen_at
from strongroom.transport.addresses import VsockUnixAddress

PORT = 9000
_BYTE = b"\xb7"
_ANSWER_S = 5.0


class Heartbeat:
    """Listens for one machine's heartbeat until it came, or until `close`."""

    def __init__(self, port: VsockUnixAddress) -> None:
        """Raises OSError."""
        self.came = threading.Event()
        self._listener = listen_at(port.host_port.path)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        with suppress(OSError):  # it ended before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        with self._listener, suppress(OSError):
            while not self.came.is_set():
                self._answer(self._listener.accept()[0])

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(_ANSWER_S)
            if connection.recv(1) == _BYTE:
                connection.sendall(_BYTE)
                self.came.set()
