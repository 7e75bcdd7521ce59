"""What is asked: the appliance and the peers, each started, waited for and stopped."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.serving.targets import OIP, Address, Plain, Sealed
from benchmarks.serving.workers import WorkerLost, process
from strongroom.protocol.configuration import Limits
from strongroom.simulator.appliance import Appliance

MAX_BATCH = 8
"""Of the peers that batch: with two workers and 16 clients, more would leave one of them idle."""

_START_S = 60.0


@dataclass(frozen=True)
class Server:
    """Where it is, and the processes that are it."""

    address: Address
    pids: list[int]


@contextmanager
def appliance(packages: Sequence[Path], clients: int) -> Iterator[Callable[[str], Server]]:
    """The simulated appliance with these models, its limits set for so many clients; by the id of a model."""
    with (
        TemporaryDirectory() as folder,
        Appliance(Path(folder), packages, limits=Limits(max_in_flight=clients)) as running,
    ):
        endpoint, pids = running.endpoint, [part.process.pid for part in running.parts.values()]
        where = (endpoint.url, str(endpoint.policy), str(endpoint.anchor))
        yield lambda model: Server(Sealed(*where, model), pids)


@dataclass(frozen=True)
class Peer:
    """How a peer is started and asked."""

    environment: str
    """Its name below the folder that `make peers` fills."""
    module: str
    arguments: Callable[[int, Path, Path], Sequence[str]]
    """Of a port, a package and an empty folder."""
    path: str
    probe: object
    """A question that it answers with 200 once it is ready, in JSON."""
    address: Callable[[str], Address] = Plain


def plain_fastapi(threads: int) -> Peer:
    """With so many threads of onnxruntime for one request."""
    return Peer(
        "plain-fastapi",
        "benchmarks.peers.plain_fastapi",
        lambda port, package, _: [str(port), str(package), str(threads)],
        "/embed",
        {"text": "Ready?"},
    )


def unbatched(context: int) -> Peer:
    """Generation, for sequences of at most so many tokens."""
    return Peer(
        "plain-fastapi",
        "benchmarks.peers.unbatched",
        lambda port, package, _: [str(port), str(package), str(context)],
        "/generate",
        {"tokens": [0], "max_tokens": 1},
    )


EMBEDDING_PEERS = (
    plain_fastapi(1),
    Peer(
        "mosec",
        "benchmarks.peers.mosec_server",
        lambda port, package, _: [str(package), str(MAX_BATCH), "--port", str(port), "--timeout", "60000"],
        "/inference",
        {"text": "Ready?"},
    ),
    Peer(
        "mlserver",
        "benchmarks.peers.mlserver_runtime",
        lambda port, package, folder: [str(port), str(package), str(MAX_BATCH), str(folder)],
        "/v2/models/minilm/infer",
        {"inputs": [{"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": ["Ready?"]}]},
        OIP,
    ),
)


class Peers:
    """Those whose environments are below `folder`, or none; which ones were asked for and left out."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.skipped: list[str] = []

    def has(self, peer: Peer) -> bool:
        """Whether it can be run; what cannot is noted."""
        if self._folder is not None and _python(self._folder, peer).is_file():
            return True
        if peer.environment not in self.skipped:
            self.skipped.append(peer.environment)
        return False

    @contextmanager
    def running(self, peer: Peer, package: Path) -> Iterator[Server]:
        """Start one that can be run, wait until it is ready, stop it at the end of the block. Raises WorkerLost."""
        assert self._folder is not None
        port = _free_port()
        url = f"http://127.0.0.1:{port}{peer.path}"
        with TemporaryDirectory() as folder:
            arguments = peer.arguments(port, package.resolve(), Path(folder))
            command = [str(_python(self._folder, peer)), "-m", peer.module, *arguments]
            with process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
                _wait_for(url, peer, child)
                yield Server(peer.address(url), [child.pid])


def _python(folder: Path, peer: Peer) -> Path:
    return folder.absolute() / peer.environment / "bin" / "python"


def _free_port() -> int:
    """A port of which the next two are likely free as well: some servers have three."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str, peer: Peer, child: subprocess.Popen[bytes]) -> None:
    body, headers = json.dumps(peer.probe).encode(), {"Content-Type": "application/json"}
    deadline_s = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=_START_S):
                return
        except (urllib.error.URLError, OSError):
            if child.poll() is not None or time.monotonic() > deadline_s:
                raise WorkerLost(f"{peer.module}: expected it to answer, got none within {_START_S:.0f} s") from None
            time.sleep(0.1)
