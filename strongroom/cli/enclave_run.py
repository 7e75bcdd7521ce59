"""`strongroom enclave run`: start enclaves, keep them running, until interrupted or told to stop."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.enclave_sizing import FILE, eif_option, needs_of, sizing_options
from strongroom.cli.enclave_state import held_folder, state_option
from strongroom.cli.failures import CommandFailed
from strongroom.cli.files import read_bounded
from strongroom.cli.output import json_option, print_json, print_table
from strongroom.cli.supervising import supervise

if TYPE_CHECKING:
    from parent.lifecycle.folder import StateFolder
    from parent.lifecycle.plan import Size
    from parent.trust import Trust

_ALLOCATOR_FILE = Path("/etc/nitro_enclaves/allocator.yaml")

patience_option = click.option(
    "--ready-timeout",
    "patience_s",
    type=click.IntRange(1, 86_400),
    default=300,
    show_default=True,
    help="Seconds until each must have proved itself.",
)


@click.group()
def run() -> None:
    """Start enclaves and keep them running, by one of these launchers."""


@run.command()
@eif_option
@sizing_options
@click.option("--memory-mib", type=click.IntRange(64, 1 << 26), help="Of each enclave, instead of the sum.")
@click.option("--policy", type=FILE, envvar="STRONGROOM_POLICY", required=True, help="What readiness is judged by.")
@click.option("--first-cid", type=click.IntRange(4, 1 << 20), default=16, show_default=True, help="Of enclave 1.")
@click.option(
    "--allocator",
    type=click.Path(dir_okay=False, path_type=Path),
    default=_ALLOCATOR_FILE,
    show_default=True,
    help="What the allocator service reserves; raised when it is too little.",
)
@patience_option
@state_option
@json_option
def nitro(
    eif: Path,
    models: tuple[Path, ...],
    configuration: Path | None,
    enclaves: int,
    cpus: int,
    memory_mib: int | None,
    policy: Path,
    first_cid: int,
    allocator: Path,
    patience_s: int,
    state: Path,
    as_json: bool,
) -> None:
    """Run an EIF on this parent instance with nitro-cli; proxy and gateway are services of their own.

    Each enclave is ready when a document with a fresh nonce verified under the policy, which takes a gateway that
    configures it. One that ends later is started again, after 1 to 60 s, and given up when it ended eight times in a
    row; one that was never ready ends the command, with the last lines of its log. Never in debug mode.

    Memory is the sum that `enclave plan` shows, unless --memory-mib says it. What the allocator service has not
    reserved is shown, written, and takes effect with the service's restart: then run this again.

    Exit 0 stopped in order, 1 refused or failed, and nothing is left running; 2 wrong usage.

    \b
    Example:  strongroom enclave run nitro --eif strongroom.eif --model .models/smollm2-135m --policy policy.toml
    """
    from parent.lifecycle.image import Image
    from parent.lifecycle.launcher import Order
    from parent.lifecycle.nitro_cli import NitroCLI, require_installed
    from parent.lifecycle.plan import Size, require_memory, size
    from parent.lifecycle.supervisor import Orders

    image = Image.check(eif)
    if memory_mib is None:
        sized = size(needs_of(image, models, configuration), enclaves=enclaves, cpus=cpus)
    else:
        require_memory(memory_mib, image.file_bytes)
        sized = Size(memory_mib, cpus, enclaves, ())

    def order_of(number: int) -> Order:
        return Order(number, first_cid + number - 1, sized.cpus, sized.memory_mib, Image.check(eif))

    trust = _trust(policy)
    require_installed()
    with held_folder(state) as folder:
        _require_reserved(sized, allocator)
        orders = Orders(range(1, enclaves + 1), order_of, NitroCLI(), trust, patience_s)
        supervise(folder, orders, as_json=as_json, ready=lambda: _say_ready(folder, as_json))


def _require_reserved(sized: "Size", path: Path) -> None:
    from parent.lifecycle.allocator import SERVICE, Allocator

    present = Allocator.read(path)
    if present.suffices(sized):
        return
    raised = present.raised_to(sized)
    click.echo(present.difference(raised, path), err=True, nl=False)
    raised.write(path)
    raise CommandFailed(
        "allocator",
        f"{path}: it reserved too little and was changed as shown; stop other enclaves, "
        f"systemctl restart {SERVICE}, then run this again",
    )


def _trust(policy: Path) -> "Trust":
    from attestation.anchors import AWS_NITRO_ROOT_G1
    from attestation.policy_file import MAX_POLICY_FILE_BYTES, load_policy
    from parent.trust import Trust

    judged_by = load_policy(read_bounded(policy, MAX_POLICY_FILE_BYTES))
    return Trust(AWS_NITRO_ROOT_G1, allow_simulated=False, policy=judged_by, policy_name=str(policy))


def _say_ready(folder: "StateFolder", as_json: bool) -> None:
    if as_json:
        print_json({"event": "ready", "simulated": False, "state": str(folder.path)})
    else:
        print_table([("ready", "all enclaves proved themselves"), ("end", "Ctrl-C, or strongroom enclave stop")])
