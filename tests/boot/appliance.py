"""The appliance around a booted machine: its dev KMS under OpenSSL 3.5, and a tap between enclave and proxy."""

import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from attestation.anchors import SimulatedTrustAnchor
from attestation.policy_file import load_policy
from enclave.addresses import Addresses
from strongroom.client import Client
from strongroom.simulator.appliance import Appliance
from strongroom.simulator.forms import MachineForm
from strongroom.simulator.part import Part
from strongroom.transport.addresses import Address, UnixAddress
from tests.boot.stages import Say, Stages
from tests.hybrid.tap import Wire, tap
from tests.hybrid.tree import ROOT, TREE

MEMORY_MIB, CPUS = 1536, 2
_PROXY, _BEHIND_TAP = "proxy.sock", "egress.sock"


@dataclass(frozen=True)
class TappedMachine(MachineForm):
    """A machine whose way to the proxy is watched; `expected` are the PCRs that its owner believes it to have."""

    expected: Mapping[int, bytes] | None = None

    @property
    def classical(self) -> bool:
        """Never: its dev KMS has the hybrid group."""
        return False

    def pcrs(self) -> Mapping[int, bytes]:
        """What deployment and policy name."""
        return self.expected or super().pcrs()

    def addresses(self, folder: Path, number: int) -> Addresses:
        """The proxy listens behind the tap."""
        return replace(super().addresses(folder, number), proxy=UnixAddress(folder / _BEHIND_TAP))


class BootedAppliance(Appliance):
    """Everything is up but the machine, which `start_machine` boots, with a gateway of its own.

    The dev KMS runs in the tree of `make ci-deps`, with what that lacks of pure Python from this environment.
    """

    def __init__(self, folder: Path, packages: list[Path], form: TappedMachine, say: Say) -> None:
        super().__init__(folder, packages, lambda part, line: say(f"{part}: {line}"), form=form, supervised=True)
        self._tell, self._form = say, form
        self.stages = Stages(say)

    @property
    def console(self) -> str:
        """What the machine's console has shown since its start."""
        return (self.folder / f"{self.form.console}.log").read_text(errors="replace")

    @property
    def control(self) -> Address:
        """The machine's control port."""
        return self._form.addresses(self.folder, 1).control

    def start_machine(self) -> Part:
        """Boot, up to attested readiness. Raises PartFailed."""
        self.boot_machine()
        url = self.start_gateway()
        self.endpoint = replace(self.endpoint, url=url)
        self.wait_ready()
        self.stages.reached("ready")
        return self.parts["enclave"]

    def boot_machine(self) -> Part:
        """Boot, up to the open control port; without a gateway, which would try ever less often. Raises PartFailed."""
        self.parts.pop("gateway").stop()
        self.stages = Stages(self._tell)
        self.parts["enclave"] = self.start_enclave()
        return self.parts["enclave"]

    def _part(self, name: str, module: str, *arguments: str, **environment: str) -> Part:
        if name == "kms":
            lent = {**environment, "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"}
            python = str(TREE / "python3")
            return Part(name, module, list(arguments), folder=self.folder, environment=lent, python=python)
        part = super()._part(name, module, *arguments, **environment)
        if name == "enclave":
            self.stages.follow(part, self._form.addresses(self.folder, 1).log)
        return part


@dataclass(frozen=True)
class Running:
    """An appliance, and all that goes between its enclave and its proxy."""

    appliance: BootedAppliance
    wires: list[Wire]


@contextmanager
def booted(folder: Path, form: TappedMachine, packages: list[Path], say: Say) -> Iterator[Running]:
    """The appliance without its machine."""
    with (
        tap(folder / _PROXY, folder / _BEHIND_TAP) as wires,
        BootedAppliance(folder, packages, form, say) as appliance,
    ):
        yield Running(appliance, wires)


def client_of(appliance: BootedAppliance, policy: Path | None = None) -> Client:
    """A client that trusts this appliance's root, under its policy or another one."""
    endpoint = appliance.endpoint
    return Client(
        endpoint.url,
        policy=load_policy((policy or endpoint.policy).read_bytes()),
        anchor=SimulatedTrustAnchor.from_pem(endpoint.anchor.read_bytes()),
        allow_simulated=True,
        timeout_s=120,
    )
