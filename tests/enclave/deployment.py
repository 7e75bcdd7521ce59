"""A deployment for the enclave's tests: a seeded NSM, the bytes of a configuration, a catalogue, sealed weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from enclave.boot.sequence import BootSequence
from enclave.engine.capacity import Capacity
from enclave.engine.engine import Engine
from enclave.log import EnclaveLog
from enclave.serving.service import InferenceService
from strongroom.documents import to_toml
from strongroom.models.seal import catalogue_of
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings, Limits, Windows
from strongroom.protocol.keys import KeyList
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.operator import PARENT_ROLE
from strongroom.simulator.pki import SimulatedPKI
from strongroom.transport.addresses import UnixAddress

ARN = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PKI = SimulatedPKI(b"p" * 32)
IMAGE = {index: bytes([index + 1]) * 48 for index in range(3)}


def new_nsm() -> SoftwareNSM:
    """An NSM as it is right after boot."""
    return SoftwareNSM(PKI, image_pcrs=IMAGE, parent_role_arn=PARENT_ROLE, parent_instance_id="i-0123456789abcdef0")


def request_key(entry_id: str = "requests", tenant: str = "demo") -> KeyEntry:
    """A key entry for KMS envelopes."""
    return KeyEntry(id=entry_id, purpose="request", tenant=tenant, arn=ARN)


def configuration(
    *,
    limits: Limits | None = None,
    windows: Windows | None = None,
    ca_pem: str = "",
    arn: str = ARN,
    requests: Sequence[KeyEntry] = (),
) -> DeploymentConfiguration:
    """A configuration with one model key, and these for requests."""
    return DeploymentConfiguration(
        version=1,
        deployment="test",
        description="test",
        key=[KeyEntry(id="models", purpose="model", tenant="demo", arn=arn), *requests],
        kms=KMSSettings(runtime_role=PARENT_ROLE, ca_pem=ca_pem, classical=True),
        limits=limits or Limits(),
        windows=windows or Windows(),
    )


@dataclass
class Booting:
    """One enclave on its way up, without sockets."""

    packages: list[Path]
    configuration: DeploymentConfiguration = field(default_factory=configuration)
    nsm: SoftwareNSM = field(default_factory=new_nsm)
    proxy: UnixAddress = field(default_factory=lambda: UnixAddress(Path("/nonexistent/proxy.sock")))

    def __post_init__(self) -> None:
        self.engine = Engine(Capacity(threads=1))
        self.log = EnclaveLog()
        self.boot = BootSequence(self.nsm, self.proxy, self.engine, self.log)
        self.configuration_bytes = to_toml(self.configuration)
        self.catalogue_bytes = to_toml(catalogue_of(self.packages, "models"))

    async def to_catalogued(self) -> None:
        """Take the first two steps."""
        await self.boot.configure(self.configuration_bytes)
        await self.boot.set_catalogue(self.catalogue_bytes)

    async def to_service(self) -> InferenceService:
        """Take them, and serve without the KMS steps in between: the key list states a policy for each entry."""
        await self.to_catalogued()
        policies = {entry.id: entry.id.encode().ljust(48, b".") for entry in self.configuration.key}
        key_list = KeyList(self.boot.identity.keys.configurations, KMSLeg.CLASSICAL, policies)
        self.boot.client_evidence = self.boot.identity.evidence.for_clients(key_list)
        return InferenceService(self.boot, self.engine, self.log)
