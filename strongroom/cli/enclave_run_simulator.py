"""`strongroom enclave run simulator|qemu`: the whole appliance on this machine, to try clients and auditors on."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.enclave_sizing import FOLDER, eif_option, enclaves_option, manifests_of
from strongroom.cli.enclave_state import held_folder
from strongroom.cli.failures import CommandFailed
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.parameters import state_folder
from strongroom.cli.supervising import supervise

if TYPE_CHECKING:
    from parent.lifecycle.launcher import Order
    from parent.lifecycle.supervisor import Orders
    from strongroom.simulator.appliance import Appliance
    from strongroom.simulator.forms import EnclaveForm

_PATIENCE_S = 300.0


_packages = click.argument("packages", metavar="PACKAGE...", nargs=-1, required=True, type=FOLDER)
_state = click.option(
    "--state", type=state_folder, metavar="DIR", required=True, help="State folder; made when missing."
)
_audit_log = click.option(
    "--audit-log", type=state_folder, metavar="DIR", help="Where the gateway keeps the audit logs."
)


@click.command()
@_packages
@_state
@enclaves_option
@_audit_log
@json_option
def simulator(packages: tuple[Path, ...], state: Path, enclaves: int, audit_log: Path | None, as_json: bool) -> None:
    """Serve model PACKAGEs with simulated enclaves; dev KMS, proxy and gateway run beside them.

    It proves nothing about Nitro hardware. What the client's commands need is left in DIR/environment, to be read by a
    shell: where the gateway is, policy and root, the dev KMS, and an access key that may make data keys and nothing
    else. Printed once all is ready. Each start is a new deployment: another KMS key, so another configuration, which
    the policy of an earlier one refuses.

    An enclave that ends is started again; when another part ends, everything does.

    \b
    Examples:
      strongroom enclave run simulator .models/smollm2-135m --state simulated
      strongroom enclave run simulator .models/smollm2-135m --state simulated --enclaves 2 \\
        --audit-log simulated/audit

    \b
    Then, in another terminal:
      . simulated/environment
      strongroom chat --allow-simulated "What is a strongroom?"
      strongroom enclave status --state simulated
    """
    from strongroom.simulator.forms import ProcessForm

    _serve("simulator", ProcessForm(), packages, state, enclaves, audit_log, as_json)


@click.command()
@_packages
@eif_option
@click.option("--memory-mib", type=click.IntRange(256, 1 << 20), default=1536, show_default=True, help="Of each.")
@click.option("--cpus", type=click.IntRange(1, 64), default=2, show_default=True, help="Of each.")
@_state
@enclaves_option
@_audit_log
@json_option
def qemu(
    packages: tuple[Path, ...],
    eif: Path,
    memory_mib: int,
    cpus: int,
    state: Path,
    enclaves: int,
    audit_log: Path | None,
    as_json: bool,
) -> None:
    """Serve model PACKAGEs with an EIF that QEMU boots: image, kernel, vsock and NSM driver are real, the NSM is not.

    Everything else is as with `run simulator`. The EIF is one whose driver knows QEMU's device: `make boot-test` makes
    it of what `make eif-local` left. The CPU is emulated, so expect a minute until it is ready. Less memory than four
    times the EIF is refused, as nitro-cli does.

    \b
    Example:  strongroom enclave run qemu .models/smollm2-135m --eif .image/boot-test.eif --state booted
    """
    from parent.lifecycle.plan import require_memory
    from strongroom.simulator.forms import MachineForm
    from strongroom.simulator.qemu.command import require_qemu

    form = MachineForm(eif, memory_mib, cpus)
    form.pcrs()  # of an image that is not sound nothing is started
    require_memory(memory_mib, eif.stat().st_size)
    require_qemu()
    _serve("qemu", form, packages, state, enclaves, audit_log, as_json)


def _serve(
    name: str,
    form: "EnclaveForm",
    packages: tuple[Path, ...],
    state: Path,
    enclaves: int,
    audit_log: Path | None,
    as_json: bool,
) -> None:
    from strongroom.simulator.appliance import Appliance
    from strongroom.simulator.part import PartFailed
    from strongroom.simulator.state import held

    manifests_of(packages)  # of what is no package nothing is started
    try:
        with (
            held(state),
            held_folder(state) as folder,
            Appliance(
                state, packages, _say, enclaves=enclaves, form=form, supervised=True, audit_log=audit_log
            ) as appliance,
        ):
            announcement = _Announcement(appliance, as_json)
            supervise(
                folder,
                _orders(appliance, name, enclaves),
                as_json=as_json,
                ready=announcement.allow,
                beside=announcement.look,
            )
    except PartFailed as failure:
        raise CommandFailed("part-failed", str(failure)) from None


def _orders(appliance: "Appliance", name: str, enclaves: int) -> "Orders":
    from attestation.anchors import SimulatedTrustAnchor
    from attestation.policy_file import load_policy
    from parent.lifecycle.supervisor import Orders
    from parent.trust import Trust
    from strongroom.simulator.launcher import SimulatorLauncher

    endpoint = appliance.endpoint
    anchor = SimulatedTrustAnchor.from_pem(endpoint.anchor.read_bytes())
    trust = Trust(anchor, allow_simulated=True, policy=load_policy(endpoint.policy.read_bytes()), policy_name="")
    return Orders(range(1, enclaves + 1), _order_of, SimulatorLauncher(appliance, name), trust, _PATIENCE_S)


def _order_of(number: int) -> "Order":
    from parent.lifecycle.launcher import Order

    return Order(number, cid=0, cpus=0, memory_mib=0, image=None)


class _Announcement:
    """Made once, when every enclave has proved itself to the supervisor, and then to the gateway too."""

    def __init__(self, appliance: "Appliance", as_json: bool) -> None:
        self._appliance, self._as_json = appliance, as_json
        self._allowed = False

    def allow(self) -> None:
        """The supervisor has seen all of them."""
        self._allowed = True
        self.look()

    def look(self) -> None:
        """Raises PartFailed when a part has ended."""
        self._appliance.check_parts()
        if self._allowed and self._appliance.is_ready():
            self._allowed = False
            _announce(self._appliance, self._as_json)


def _announce(appliance: "Appliance", as_json: bool) -> None:
    from strongroom.simulator.state import write

    path, variables = appliance.folder / "environment", _environment(appliance)
    write(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()).encode())
    if as_json:
        print_json({"event": "ready", "simulated": True, "environment": variables})
    else:
        print_table([("gateway", appliance.endpoint.url), ("environment", str(path)), ("end", "Ctrl-C")])


def _environment(appliance: "Appliance") -> dict[str, str]:
    """What `chat`, `seal`, `submit` and `open` read."""
    from strongroom.simulator.kms.credentials import issue
    from strongroom.simulator.operator import MODEL_OWNER

    key_id, secret = issue(appliance.folder, MODEL_OWNER)
    return {
        "STRONGROOM_URL": appliance.endpoint.url,
        "STRONGROOM_POLICY": str(appliance.endpoint.policy),
        "STRONGROOM_TRUST_ANCHOR": str(appliance.endpoint.anchor),
        "AWS_ENDPOINT_URL_KMS": appliance.kms_url,
        "AWS_CA_BUNDLE": str(appliance.folder / "tls" / "ca.pem"),
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": "",
    }


def _say(part: str, line: str) -> None:
    click.echo(f"  {click.style(part.ljust(9), bold=True)} {line}", err=True)
