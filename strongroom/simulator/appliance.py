"""The whole appliance on one machine, each part a process of its own: dev KMS, proxy, enclave, gateway.

A simulated run proves nothing about Nitro hardware: the documents chain to a root of the state folder.
"""

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from attestation.policy import Measurements
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.operator import PARENT_ROLE, REGION, Deployment, Operator
from strongroom.simulator.part import Part
from strongroom.simulator.signals import signals_deferred
from strongroom.simulator.sockets import enclave_addresses

_START_S = 20.0
_READY_S = 90.0

Say = Callable[[str, str], None]
"""Called with a part's name and one readable line."""


@dataclass(frozen=True)
class Endpoint:
    """What a client needs: where, under which anchor, and what to expect there."""

    url: str
    anchor: Path
    policy: Path
    measurements: Measurements


class Appliance:
    """A context manager: enter to start every part in order, leave to stop them in reverse."""

    def __init__(self, folder: Path, packages: Sequence[Path], say: Say = lambda part, line: None) -> None:
        self.folder, self._packages, self._say = folder.resolve(), packages, say
        self.parts: dict[str, Part] = {}
        self.deployment = Deployment(self.folder / "deployment")
        self.addresses = enclave_addresses(Path())
        self.endpoint: Endpoint

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop every part, last started first."""
        with signals_deferred():  # an impatient second Ctrl-C would leave the rest behind
            for name in reversed(list(self.parts)):
                self.parts.pop(name).stop()

    def start_enclave(self) -> Part:
        """Start the enclave; also after it was killed, when the gateway provisions it again."""
        part = self._run(
            "enclave", "strongroom.simulator.enclave", "--state=.", "--sockets=.", f"--parent-role={PARENT_ROLE}"
        )
        part.wait_socket(self.folder / "control.sock", _START_S)
        return part

    def wait_ready(self, timeout_s: float = _READY_S) -> None:
        """Wait for attested readiness; raise PartFailed when a part ends first."""
        deadline = time.monotonic() + timeout_s
        while not self._is_ready():
            for part in self.parts.values():
                if part.ended:
                    raise part.failure("ended")
            if time.monotonic() > deadline:
                raise self.parts["gateway"].failure("was not ready in time")
            time.sleep(0.05)

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        kms = self._run("kms", "strongroom", "simulator", "kms", "--state=.", "--tls")
        kms_port = kms.wait_announced(_START_S)["port"]
        self._say("kms", f"dev KMS with TLS on 127.0.0.1:{kms_port}")
        operator = Operator(self.folder, f"https://127.0.0.1:{kms_port}")
        measurements = operator.deploy(self.deployment, self._packages)
        self._say("operator", "key created, configuration measured, key policy put, weights sealed")
        rule = f"kms.{REGION}.amazonaws.com:443=127.0.0.1:{kms_port}"
        self._run("proxy", "proxy", f"--listen={self.addresses.proxy}", f"--allow={rule}").wait_announced(_START_S)
        self._say("proxy", f"egress only to kms.{REGION}.amazonaws.com:443")
        self.start_enclave()
        self._say("enclave", "booted, waiting to be configured")
        url = self.start_gateway()
        self.endpoint = Endpoint(url, self.folder / "pki" / "root.pem", self.deployment.policy, measurements)
        self._say("gateway", f"listening on {url}")
        self.wait_ready()
        self._say("enclave", "ready: its key was released by KMS, its models are loaded")

    def start_gateway(self) -> str:
        """Start the gateway, which provisions the enclave; return its URL."""
        key_id, secret, token = (f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), secrets.token_hex(32))
        register(self.folder, key_id, RoleCredentials(PARENT_ROLE, secret, token))
        gateway = self._run(
            "gateway",
            "parent",
            STRONGROOM_ENCLAVE_API=str(self.addresses.api),
            STRONGROOM_ENCLAVE_CONTROL=str(self.addresses.control),
            STRONGROOM_CONFIGURATION=str(self.deployment.configuration),
            STRONGROOM_CATALOGUE=str(self.deployment.catalogue),
            STRONGROOM_SEALED_MODELS=str(self.deployment.sealed),
            STRONGROOM_POLICY=str(self.deployment.policy),
            STRONGROOM_TRUST_ANCHOR="pki/root.pem",
            STRONGROOM_ALLOW_SIMULATED="1",
            STRONGROOM_HOST="127.0.0.1",
            STRONGROOM_PORT="0",
            AWS_ACCESS_KEY_ID=key_id,
            AWS_SECRET_ACCESS_KEY=secret,
            AWS_SESSION_TOKEN=token,
            AWS_EC2_METADATA_DISABLED="true",
        )
        return f"http://127.0.0.1:{gateway.wait_announced(_START_S)['port']}"

    def _run(self, name: str, module: str, *arguments: str, **environment: str) -> Part:
        with signals_deferred():  # a signal between the start of a process and its entry here would orphan it
            self.parts[name] = Part(name, module, list(arguments), folder=self.folder, environment=environment)
        return self.parts[name]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint.url}/readyz", timeout=5) as answer:  # noqa: S310 - http only
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False
