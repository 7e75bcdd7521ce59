"""A peer under KMS's certificate whose TLS ends in the tree, behind a tap; what it answers is said here, outside."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom.simulator.kms.tls import server_certificate
from tests.enclave.lying_kms import Host, Talk, http_answer, serve
from tests.hybrid.tap import Wire, tap
from tests.hybrid.tree import NO_CONFIGURATION, running

CLASSICAL = Path(__file__).with_name("classical.cnf")
REGION = "us-east-1"


@dataclass(frozen=True)
class Peer:
    """What came out of TLS, and what the tap saw of it."""

    inside: Host
    wires: list[Wire]


@contextmanager
def peer(folder: Path, talk: Talk, openssl_conf: Path = NO_CONFIGURATION) -> Iterator[Peer]:
    """Listen at `folder`/proxy.sock, with the groups of that configuration, OpenSSL 3.5's own without one."""
    proxy, tls, within = (folder / name for name in ("proxy.sock", "tls.sock", "kms.sock"))
    certificate = server_certificate(folder, region=REGION)
    paths = {"--listen": tls, "--inside": within, "--certificate": certificate}
    arguments = [part for pair in paths.items() for part in pair]
    with (
        serve(within, talk, None) as host,
        running("tests.hybrid.terminator", *arguments, openssl_conf=openssl_conf),
        tap(proxy, tls) as wires,
    ):
        yield Peer(host, wires)


def answer_once(connection: socket.socket, host: Host) -> None:
    """An empty answer for whatever is asked."""
    host.received += connection.recv(64 << 10)
    connection.sendall(http_answer(b"{}"))
