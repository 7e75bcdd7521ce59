"""An enclave behind a gateway on a loopback port, and the command line as a client of it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from attestation.policy_file import dump_measurements
from strongroom.simulator.pki import SimulatedPKI
from tests.cli.running import strongroom
from tests.client.fake_gateway import FakeGateway


@dataclass(frozen=True)
class Served:
    """An enclave with classical TLS to KMS behind a gateway, and the files that a client needs."""

    gateway: FakeGateway
    folder: Path
    pki: SimulatedPKI

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        (self.folder / "policy.toml").write_text(dump_measurements([self.gateway.enclave.policy()]))
        (self.folder / "root.pem").write_bytes(self.pki.root_pem())
        trusted = ["--policy=policy.toml", "--trust-anchor=root.pem", "--allow-simulated"]
        return strongroom(*arguments, f"--url={self.gateway.url}", *trusted, cwd=self.folder)
