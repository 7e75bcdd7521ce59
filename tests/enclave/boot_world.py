"""A dev KMS that may lie, the real proxy before it, and whole boots of the enclave against a key of it."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from msgspec.structs import replace

from attestation.compiler import compile_key_policy
from attestation.evidence import Evidence
from attestation.measurements import catalogue_pcr16, configuration_pcr17, parent_role_pcr3
from attestation.policy import Measurements
from enclave.serving.api import APIApp
from enclave.serving.service import InferenceService
from strongroom.documents import to_toml
from strongroom.models.seal import catalogue_of, seal_package
from strongroom.protocol.configuration import DeploymentConfiguration
from strongroom.protocol.constants import PATH_BOOT, PATH_EVIDENCE
from strongroom.protocol.messages import SealedWeightsHead
from strongroom.simulator.kms.app import Receive, Scope, Send, build_app
from strongroom.simulator.kms.credentials import RoleCredentials, register
from strongroom.simulator.kms.tls import server_certificate
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.simulator.part import Part
from strongroom.simulator.pki import SimulatedPKI
from strongroom.transport.addresses import UnixAddress
from tests.enclave.calling import call, control_of
from tests.enclave.deployment import IMAGE, Booting, configuration

REGION = "us-east-1"
ROOT = "arn:aws:iam::000000000000:root"
PLAIN_ARN = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000"
Members = dict[str, Any]
Policy = dict[str, Any]


class TamperingKMS:
    """The dev KMS; what `lies` has for an operation is changed in its answers, or put in their place."""

    def __init__(self, state_dir: Path) -> None:
        self._kms = build_app(state_dir)
        self.lies: dict[str, Members] = {}
        self.operations: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        operation = headers[b"x-amz-target"].decode().rpartition(".")[2]
        self.operations.append(operation)
        lie = self.lies.get(operation)
        await self._kms(scope, receive, send if lie is None else _changing(send, lie))


def _changing(send: Send, lie: Members) -> Send:
    start: list[Any] = []

    async def changed(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.append(message)
            return
        body = json.dumps(_merged(json.loads(message["body"]), lie)).encode()
        headers = [(name, value) for name, value in start[0]["headers"] if name != b"content-length"]
        await send({**start[0], "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await send({**message, "body": body})

    return changed


def _merged(truth: Members, lie: Members) -> Members:
    """`lie` over `truth`, within objects too."""
    inner = {name: _merged(truth[name], each) if isinstance(each, dict) else each for name, each in lie.items()}
    return {**truth, **inner}


@dataclass(frozen=True)
class Ended:
    """How a boot went: with which codes it ended, its log, what its API served as keys, and what KMS was asked for."""

    codes: list[str]
    log: list[Members]
    keys: bytes | None
    operations: list[str]


@dataclass
class BootWorld:
    """One folder for KMS, proxy and PKI. `operator` is the account's root."""

    folder: Path
    kms: TamperingKMS
    operator: Any
    package: Path

    def __post_init__(self) -> None:
        self.catalogue = catalogue_of([self.package], "models")

    def configuration(self, arn: str, role: str = PARENT_ROLE) -> DeploymentConfiguration:
        """The configuration with that key as its only one."""
        made = configuration(ca_pem=(self.folder / "tls" / "ca.pem").read_text(), arn=arn)
        return replace(made, kms=replace(made.kms, runtime_role=role))

    def sound_policy(self, arn: str) -> Policy:
        """What the compiler makes of this image, this catalogue and the configuration with that key."""
        pcrs = {
            **IMAGE,
            3: parent_role_pcr3(PARENT_ROLE),
            16: catalogue_pcr16(to_toml(self.catalogue)),
            17: configuration_pcr17(to_toml(self.configuration(arn))),
        }
        return compile_key_policy(
            key_arn=PLAIN_ARN,  # the compiler refuses those of multi-Region keys
            runtime_role_arn=PARENT_ROLE,
            measurements=[Measurements(pcrs)],
            sealer_arns=[ROOT],
            purposes=["model"],
        )

    def put(self, arn: str, policy: Policy) -> None:
        """Make it the policy of that key, past KMS's own care."""
        text = json.dumps(policy)
        self.operator.put_key_policy(KeyId=arn, PolicyName="default", Policy=text, BypassPolicyLockoutSafetyCheck=True)

    def seal(self, arn: str) -> bytes:
        """The model, sealed under that key."""

        def make_key(arn: str, context: dict[str, str]) -> tuple[bytes, bytes]:
            made = self.operator.generate_data_key(KeyId=arn, KeySpec="AES_256", EncryptionContext=context)
            return made["Plaintext"], made["CiphertextBlob"]

        return seal_package(
            self.package,
            self.folder / "sealed",
            configuration=self.configuration(arn),
            catalogue=self.catalogue,
            make_key=make_key,
        ).read_bytes()

    async def boot(self, arn: str, sealed: bytes = b"", role: str = PARENT_ROLE) -> Ended:
        """Do as a parent does, up to the key check, or with `sealed` to the end; then ask the API for its keys."""
        asked = len(self.kms.operations)
        register(self.folder, "ASIABOOT", RoleCredentials(role, "secret", "token"))
        nsm = SoftwareNSM(
            SimulatedPKI.open(self.folder),
            image_pcrs=IMAGE,
            parent_role_arn=PARENT_ROLE,
            parent_instance_id="i-0123456789abcdef0",
        )
        proxy = UnixAddress(self.folder / "proxy.sock")
        enclave = Booting([self.package], self.configuration(arn, role), nsm, proxy)
        control, codes = control_of(enclave)
        for name, body in self._steps(enclave, sealed):
            await call(control, "PUT", f"{PATH_BOOT}/{name}", body)
        log = [json.loads(line) for line in enclave.log._lines]
        keys = await _served_keys(enclave)
        for client in enclave.boot._clients.values():
            client.close()
        enclave.engine.close()
        return Ended(codes, log, keys, self.kms.operations[asked:])

    def _steps(self, enclave: Booting, sealed: bytes) -> Iterator[tuple[str, bytes]]:
        yield "configuration", enclave.configuration_bytes
        yield "catalogue", enclave.catalogue_bytes
        credentials = {"access_key_id": "ASIABOOT", "secret_access_key": "secret", "session_token": "token"}
        yield "credentials", json.dumps({**credentials, "expires_ms": 1 << 52}).encode()
        yield "key-check", b""
        if sealed:
            head, size = SealedWeightsHead.read(sealed)
            yield f"models/{head.model}/head", sealed[:size]
            yield f"models/{head.model}/weights/0/1", sealed[size:]


async def _served_keys(enclave: Booting) -> bytes | None:
    """What the API serves as keys; None before it opens and when it does not answer."""
    if not enclave.boot.ready.is_set():
        return None
    api = APIApp(enclave.boot, InferenceService(enclave.boot, enclave.engine, enclave.log), enclave.log)
    messages = await call(api, "GET", PATH_EVIDENCE)
    return Evidence.from_bytes(messages[1]["body"]).key_list if messages else None


@contextmanager
def boot_world(folder: Path, package: Path) -> Iterator[BootWorld]:
    """Run KMS and proxy until the block ends."""
    kms, certificate = TamperingKMS(folder), server_certificate(folder, region=REGION)
    config = uvicorn.Config(
        kms, ssl_certfile=certificate, lifespan="off", log_config=None, loop="asyncio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        rule = f"--allow=kms.{REGION}.amazonaws.com:443=127.0.0.1:{port}"
        proxy = Part("proxy", "proxy", ["--listen=unix:proxy.sock", rule], folder=folder)
        proxy.wait_announced(20)
        operator: Any = boto3.Session(aws_access_key_id="operator", aws_secret_access_key="any").client(
            "kms", region_name=REGION, endpoint_url=f"https://127.0.0.1:{port}", verify=str(folder / "tls" / "ca.pem")
        )
        yield BootWorld(folder, kms, operator, package)
        operator.close()
        proxy.stop()
        server.should_exit = True
        thread.join()
