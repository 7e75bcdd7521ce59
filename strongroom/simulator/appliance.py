"""The whole appliance on one machine, each part a process of its own: dev KMS, proxy, enclaves, gateway.

A simulated run proves nothing about Nitro hardware: the documents chain to a root of the state folder.
"""

import json
import secrets
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from attestation.policy import Measurements
from strongroom.protocol.configuration import Limits, Windows
from strongroom.simulator.forms import EnclaveForm, ProcessForm
from strongroom.simulator.kms.credentials import issue
from strongroom.simulator.operator import PARENT_ROLE, REGION, Deployment, Operator
from strongroom.simulator.part import Part, PartFailed
from strongroom.simulator.running import Running
from strongroom.simulator.signals import signals_deferred
from strongroom.simulator.sockets import numbered

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


class Appliance(Running):
    """A context manager: enter to start every part in order, leave to stop them in reverse.

    The enclaves are numbered from 1, as the gateway numbers them; it keeps their logs in `audit_log`, if that is given.
    Where they are `supervised`, whoever does that starts them by `begin_enclave`, waits for them, and ends them.
    """

    def __init__(
        self,
        folder: Path,
        packages: Sequence[Path],
        say: Say = lambda part, line: None,
        *,
        enclaves: int = 1,
        form: EnclaveForm | None = None,
        supervised: bool = False,
        limits: Limits | None = None,
        windows: Windows | None = None,
        audit_log: Path | None = None,
    ) -> None:
        self.folder, self._packages, self._say = folder.resolve(), packages, say
        self._limits, self._windows = limits, windows
        self.parts: dict[str, Part] = {}
        self.deployment = Deployment(self.folder / "deployment")
        self.form = form or ProcessForm()
        self._addresses = [self.form.addresses(Path(), number) for number in range(1, enclaves + 1)]
        self._supervised = supervised
        self._audit_log = str(audit_log.resolve()) if audit_log else ""
        self.endpoint: Endpoint
        self.kms_url: str

    def stop(self) -> None:
        """Stop every part, last started first."""
        with signals_deferred():  # an impatient second Ctrl-C would leave the rest behind
            for name in reversed(list(self.parts)):
                self.parts.pop(name).stop()

    def start_enclave(self, number: int = 1) -> Part:
        """Start an enclave; also after it was killed, when the gateway provisions it again."""
        part = self.begin_enclave(number)
        try:
            self.form.wait_started(part, number)
        except PartFailed:
            part.stop()
            raise
        self._say(part.name, "booted, waiting to be configured")
        return part

    def begin_enclave(self, number: int = 1) -> Part:
        """Start its process, and wait for nothing."""
        start = self._part if self._supervised else self._run
        return start(numbered("enclave", number), *self.form.command(number, PARENT_ROLE))

    def wait_ready(self, timeout_s: float = _READY_S) -> None:
        """Wait for attested readiness of every enclave; raise PartFailed when a part ends first."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            self.check_parts()
            if time.monotonic() > deadline:
                raise self.parts["gateway"].failure("was not ready in time")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Whether the gateway says so of every enclave."""
        try:
            with urllib.request.urlopen(f"{self.endpoint.url}/readyz", timeout=5) as answer:  # noqa: S310 - http only
                return all(enclave["ready"] for enclave in json.load(answer)["enclaves"])
        except (OSError, HTTPException):  # also one that ends in the middle of its answer
            return False

    def check_parts(self) -> None:
        """Raise PartFailed when a part has ended."""
        for part in self.parts.values():
            if part.ended:
                raise part.failure("ended")

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        kms = self._run("kms", "strongroom", "simulator", "kms", "--state=.", "--tls")
        kms_port = kms.wait_announced(_START_S)["port"]
        self.kms_url = f"https://127.0.0.1:{kms_port}"
        self._say("kms", f"dev KMS with TLS on 127.0.0.1:{kms_port}")
        operator = Operator(self.folder, self.kms_url, self._limits, self._windows, classical=self.form.classical)
        try:
            measurements = operator.deploy(self.deployment, self._packages, self.form.pcrs())
        except (BotoCoreError, ClientError) as error:
            raise kms.failure(f"did not do what the operator asked: {type(error).__name__}") from None
        self._say("operator", "key created, configuration measured, key policy put, weights sealed")
        rule = f"kms.{REGION}.amazonaws.com:443=127.0.0.1:{kms_port}"
        self._run("proxy", "proxy", f"--listen={self._addresses[0].proxy}", f"--allow={rule}").wait_announced(_START_S)
        self._say("proxy", f"egress only to kms.{REGION}.amazonaws.com:443")
        for number in range(1, len(self._addresses) + 1):
            if not self._supervised:
                self.start_enclave(number)
        url = self.start_gateway()
        self.endpoint = Endpoint(url, self.folder / "pki" / "root.pem", self.deployment.policy, measurements)
        self._say("gateway", f"listening on {url}")
        if not self._supervised:
            self.wait_ready()
            self._say("enclave", "ready: its key was released by KMS, its models are loaded")

    def start_gateway(self) -> str:
        """Start the gateway, which provisions the enclaves; return its URL."""
        token = secrets.token_hex(32)
        key_id, secret = issue(self.folder, PARENT_ROLE, token)
        gateway = self._run(
            "gateway",
            "parent",
            STRONGROOM_ENCLAVE_API=",".join(str(each.api) for each in self._addresses),
            STRONGROOM_ENCLAVE_CONTROL=",".join(str(each.control) for each in self._addresses),
            STRONGROOM_AUDIT_LOG=self._audit_log,
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
            self.parts[name] = self._part(name, module, *arguments, **environment)
        return self.parts[name]

    def _part(self, name: str, module: str, *arguments: str, **environment: str) -> Part:
        return Part(name, module, list(arguments), folder=self.folder, environment=environment)
