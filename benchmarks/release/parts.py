"""What stands between the enclave and its key: the dev KMS and the proxy as processes, and a host that only sends."""

from __future__ import annotations

import contextlib
import re
import socketserver
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.release.counted_kms import CALLS_PATH
from enclave.kms.isolation import kms_host
from strongroom.simulator.operator import REGION
from strongroom.simulator.part import Part
from strongroom.transport.addresses import UnixAddress

ROOT = Path(__file__).parents[2]
KMS_HOST = kms_host(REGION, fips=False)
FLOOD_HOST = "flood.example"
_START_S = 20.0
_ACTIVE = re.compile(r"^strongroom_proxy_connections_active ([0-9]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Parts:
    """Where everything is that runs."""

    state: Path
    kms_url: str
    proxy: UnixAddress
    metrics_url: str

    @property
    def ca(self) -> Path:
        """The roots that clients of the dev KMS trust, in PEM."""
        return self.state / "tls" / "ca.pem"

    def kms_calls(self) -> int:
        """How many requests the dev KMS has had."""
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen(self.kms_url + CALLS_PATH, timeout=5, context=context) as answer:
            return int(answer.read())

    def open_connections(self) -> int:
        """How many connections the proxy serves now, by its own metrics."""
        with urllib.request.urlopen(self.metrics_url, timeout=5) as answer:
            found = _ACTIVE.search(answer.read().decode())
        if found is None:
            raise ValueError("the proxy's metrics: expected its active connections, got none")
        return int(found[1])


@contextmanager
def running(folder: Path) -> Iterator[Parts]:
    """Everything started, its state in ``folder``; stopped at the end of the block. Raises PartFailed."""
    with (
        _flooding() as flood_port,
        _part("kms", "benchmarks.release.counted_kms", ["."], folder) as kms,
    ):
        kms_port = kms.wait_announced(_START_S)["port"]
        listen = UnixAddress(folder / "proxy.sock")
        arguments = [
            f"--listen={listen}",
            f"--allow={KMS_HOST}:443=127.0.0.1:{kms_port}",
            f"--allow={FLOOD_HOST}:443=127.0.0.1:{flood_port}",
            "--metrics=127.0.0.1:0",
        ]
        with _part("proxy", "proxy", arguments, folder) as proxy:
            metrics_port = proxy.wait_announced(_START_S)["metrics_port"]
            metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
            yield Parts(folder, f"https://127.0.0.1:{kms_port}", listen, metrics_url)


@contextmanager
def _part(name: str, module: str, arguments: list[str], folder: Path) -> Iterator[Part]:
    part = Part(name, module, arguments, folder=folder, environment={"PYTHONPATH": str(ROOT)})
    try:
        yield part
    finally:
        part.stop()


_FLOOD = bytes(1 << 20)  # more than the proxy and a UNIX socket hold


class _Flood(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.request.sendall(_FLOOD)


class _FloodServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def _flooding() -> Iterator[int]:
    """A host that sends to whoever connects; its port."""
    with _FloodServer(("127.0.0.1", 0), _Flood) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
