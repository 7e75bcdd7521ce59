"""A tap on the wire: what a host sees that passes the bytes between two UNIX sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Wire:
    """One connection: the bytes of either direction."""

    from_client: bytearray = field(default_factory=bytearray)
    from_server: bytearray = field(default_factory=bytearray)


@contextmanager
def tap(listen: Path, target: Path) -> Iterator[list[Wire]]:
    """Pass every connection to `listen` on to `target` until the block ends; one `Wire` for each."""
    wires: list[Wire] = []
    threads: list[threading.Thread] = []

    def start(work: threading.Thread) -> None:
        threads.append(work)
        work.start()

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                wires.append(Wire())
                start(threading.Thread(target=_relay, args=(client, target, wires[-1])))

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(listen))
        listener.listen()
        start(threading.Thread(target=accept))
        try:
            yield wires
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(6)


def _relay(client: socket.socket, target: Path, wire: Wire) -> None:
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(str(target))
        back = threading.Thread(target=_pass_on, args=(server, client, wire.from_server))
        back.start()
        _pass_on(client, server, wire.from_client)
        back.join()


def _pass_on(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while piece := source.recv(64 << 10):
            kept += piece
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
