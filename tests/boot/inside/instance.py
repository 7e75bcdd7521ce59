"""What `strongroom enclave run nitro` finds: nitro-cli, an EIF, a policy, memory; dev KMS, proxy and gateway run."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from enclave.addresses import API_PORT, CONTROL_PORT, LOG_PORT, PROXY_PORT, Addresses
from parent.lifecycle.folder import StateFolder
from parent.lifecycle.record import Record
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.forms import ProcessForm
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.transport.addresses import VsockAddress, listen_any
from tests.boot.inside import CID
from tests.boot.inside.image import pcrs_of
from tests.hybrid.tree import ROOT
from tests.parent.lifecycle.support import eif

_WAIT_S = 300.0


class VsockForm(ProcessForm):
    """A process, reached by vsock as an enclave is."""

    def __init__(self, image: Path) -> None:
        self._image = image

    def pcrs(self) -> dict[int, bytes]:
        """Those of the EIF."""
        return pcrs_of(self._image)

    def addresses(self, folder: Path, number: int) -> Addresses:
        """Of an enclave as its parent instance dials it; the proxy listens for all."""
        api, control, log = (VsockAddress(CID, port) for port in (API_PORT, CONTROL_PORT, LOG_PORT))
        return Addresses(api, control, log, listen_any(PROXY_PORT))


@dataclass(frozen=True)
class Instance:
    """Its folder, and what runs beside the supervisor."""

    folder: Path
    appliance: Appliance

    @property
    def state(self) -> Path:
        """Where the supervisor keeps what it knows."""
        return self.folder / "state"

    def record(self) -> Record:
        """Of its one enclave."""
        standing = StateFolder(self.state).read()
        assert standing is not None
        [record] = standing.enclaves
        return record

    def wait(self, holds: Callable[[Record], bool]) -> Record:
        """The first record of which that holds."""
        deadline = time.monotonic() + _WAIT_S
        while not holds(record := self.record()):
            assert time.monotonic() < deadline, record
            time.sleep(0.2)
        return record

    def described(self) -> list[dict[str, Any]]:
        """What nitro-cli says that runs."""
        command = [str(self.folder / "nitro-cli"), "describe-enclaves"]
        running: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return running

    def process_of(self, enclave_id: str) -> int:
        """The process that is that enclave."""
        return int((self.folder / "kept" / enclave_id).read_text())

    def strongroom(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """A command of `strongroom enclave` about this folder, to its end."""
        command = [sys.executable, "-m", "strongroom", "enclave", *arguments, "--state", str(self.state)]
        return subprocess.run(command, capture_output=True, timeout=_WAIT_S, check=False)

    @contextmanager
    def supervised(self) -> Iterator[subprocess.Popen[bytes]]:
        """`strongroom enclave run nitro`, ended if it has not."""
        anchor, policy = self.appliance.endpoint.anchor, self.appliance.endpoint.policy
        given = ("--policy", policy, "--allocator", self.folder / "allocator.yaml", "--state", self.state)
        run = ("enclave", "run", "nitro", "--eif", self.folder / "x.eif", "--memory-mib", "512", *given, "--json")
        command = [sys.executable, "-m", "tests.boot.inside.command", *map(str, (anchor, *run))]
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe) as supervisor:
            try:
                yield supervisor
            finally:
                supervisor.terminate()
                supervisor.communicate(timeout=_WAIT_S)


@contextmanager
def instance(folder: Path, package: Path) -> Iterator[Instance]:
    """All but the supervisor runs: dev KMS, proxy and gateway."""
    (folder / "allocator.yaml").write_text("---\nmemory_mib: 4096\ncpu_count: 2\n")
    image, kept = eif(folder), folder / "kept"
    kept.mkdir()
    with (
        patch("strongroom.simulator.appliance._START_S", _WAIT_S),
        Appliance(folder / "appliance", [package], form=VsockForm(image), supervised=True, say=_say) as appliance,
    ):
        _write_nitro_cli(folder / "nitro-cli", appliance.folder, kept)
        yield Instance(folder, appliance)


def _write_nitro_cli(script: Path, state: Path, kept: Path) -> None:
    words = (sys.executable, "-S", "-m", "tests.boot.inside.nitro_cli", str(state), PARENT_ROLE)
    variables = f"FAKE_NITRO_CLI={kept} PYTHONPATH={ROOT}"
    script.write_text(f'#!/bin/sh\n{variables} exec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)


def _say(part: str, line: str) -> None:
    print(f"{part}: {line}", flush=True)
