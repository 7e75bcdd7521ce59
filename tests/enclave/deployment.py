"""A deployment for the enclave's tests: a seeded NSM, the bytes of a configuration, a catalogue, sealed weights."""

from dataclasses import dataclass, field
from pathlib import Path

from enclave.boot.sequence import BootSequence
from enclave.engine.engine import Engine
from enclave.log import EnclaveLog
from strongroom.documents import to_toml
from strongroom.models.seal import catalogue_of
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings, Limits
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


def configuration(*, limits: Limits | None = None, ca_pem: str = "", arn: str = ARN) -> DeploymentConfiguration:
    """A configuration with one model key."""
    return DeploymentConfiguration(
        version=1,
        deployment="test",
        description="test",
        key=[KeyEntry(id="models", purpose="model", tenant="demo", arn=arn)],
        kms=KMSSettings(runtime_role=PARENT_ROLE, ca_pem=ca_pem, classical=True),
        limits=limits or Limits(),
    )


@dataclass
class Booting:
    """One enclave on its way up, without sockets."""

    packages: list[Path]
    configuration: DeploymentConfiguration = field(default_factory=configuration)
    nsm: SoftwareNSM = field(default_factory=new_nsm)
    proxy: UnixAddress = field(default_factory=lambda: UnixAddress(Path("/nonexistent/proxy.sock")))

    def __post_init__(self) -> None:
        self.engine = Engine(threads=1)
        self.log = EnclaveLog()
        self.boot = BootSequence(self.nsm, self.proxy, self.engine, self.log)
        self.configuration_bytes = to_toml(self.configuration)
        self.catalogue_bytes = to_toml(catalogue_of(self.packages, "models"))

    async def to_catalogued(self) -> None:
        """Take the first two steps."""
        await self.boot.configure(self.configuration_bytes)
        await self.boot.set_catalogue(self.catalogue_bytes)
