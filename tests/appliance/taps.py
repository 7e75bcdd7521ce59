"""Taps: relays that record every byte between two parts, as a hostile host would."""

import socket
import threading
from pathlib import Path


class Tap:
    """Listens, dials the target for each connection, copies both ways, and keeps everything it saw."""

    def __init__(self, listener: socket.socket, family: int, target: str | tuple[str, int]) -> None:
        self.seen = bytearray()
        self._listener, self._family, self._target = listener, family, target
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @classmethod
    def unix(cls, path: Path, target: Path) -> "Tap":
        """Listen at `path`, dial `target`."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        return cls(listener, socket.AF_UNIX, str(target))

    @classmethod
    def tcp(cls, port: int) -> "Tap":
        """Listen on a free loopback port, dial `port`."""
        return cls(socket.create_server(("127.0.0.1", 0)), socket.AF_INET, ("127.0.0.1", port))

    @property
    def port(self) -> int:
        """Where a TCP tap listens."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Stop listening and end every connection."""
        for connection in (self._listener, *self._open):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(self._family)
            self._open += [near, far]
            try:
                far.connect(self._target)
            except OSError:
                near.close()
                continue
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(64 << 10):
                self.seen += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return
