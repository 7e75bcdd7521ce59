"""Where TLS ends, in the tree: `python -m tests.hybrid.terminator --listen PATH --inside PATH --certificate PEM`.

It takes what the enclave says to its proxy, and passes on what was inside TLS; the groups are those that OPENSSL_CONF
allows, since Python 3.13 has no call for them. It ends with its standard input.
"""

import argparse
import select
import socket
import ssl
import sys
import threading
from contextlib import suppress
from pathlib import Path


def accept(listener: socket.socket, inside: Path, context: ssl.SSLContext) -> None:
    """Serve one connection at a time, for ever."""
    while True:
        connection, _ = listener.accept()
        with suppress(OSError), connection, socket.socket(socket.AF_UNIX) as within:  # ssl.SSLError included
            within.connect(str(inside))
            with connection.makefile("rb", buffering=0) as unbuffered:
                within.sendall(unbuffered.readline())
            connection.sendall(within.recv(3))
            with context.wrap_socket(connection, server_side=True) as secured:
                pass_on(secured, within)


def pass_on(secured: ssl.SSLSocket, within: socket.socket) -> None:
    """Bytes in both directions until either ends."""
    ends: dict[socket.socket, socket.socket] = {secured: within, within: secured}
    while True:
        ready = [secured] if secured.pending() else select.select(list(ends), [], [])[0]
        for source in ready:
            if not (piece := source.recv(64 << 10)):
                return
            ends[source].sendall(piece)


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--listen", "--inside", "--certificate"):
        parser.add_argument(name, type=Path, required=True)
    arguments = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(arguments.listen))
    listener.listen()
    threading.Thread(target=accept, args=(listener, arguments.inside, context), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
