"""The state folder of running enclaves, as the commands beside `run` find it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.failures import CommandFailed
from strongroom.cli.parameters import state_folder

if TYPE_CHECKING:
    from parent.lifecycle.folder import StateFolder
    from parent.lifecycle.launcher import Launcher
    from parent.lifecycle.record import Record, Standing

state_option = click.option(
    "--state",
    type=state_folder,
    envvar="STRONGROOM_STATE",
    default="/run/strongroom",
    show_default=True,
    metavar="DIR",
    help="Where it is kept what runs; made when missing.",
)


def lasting_launchers() -> "Mapping[str, Launcher]":
    """Those whose enclaves outlive the process that started them."""
    from parent.lifecycle.nitro_cli import NitroCLI

    return {NitroCLI.name: NitroCLI()}


@contextmanager
def held_folder(state: Path) -> "Iterator[StateFolder]":
    """The state folder, held, after what a supervisor that was killed left running has been ended.

    Nothing that one said is left, for `status` would say it of enclaves that are not yet started.
    """
    from parent.lifecycle.folder import StateFolder

    folder = StateFolder(state)
    with folder.held():
        end_what_is_left(folder)
        yield folder


def end_what_is_left(folder: "StateFolder") -> None:
    """End what a supervisor that was killed left running, and say so; nobody may hold the folder but the caller."""
    from parent.lifecycle.leftovers import end_leftovers

    leftovers = end_leftovers(folder, lasting_launchers())
    for enclave_id in leftovers.ended:
        click.echo(f"  ended {enclave_id}, which a supervisor that is gone had left", err=True)
    for number in leftovers.unknown:
        said = "was being started when its supervisor was killed: nitro-cli describe-enclaves says whether it runs"
        click.echo(f"  enclave {number} {said}", err=True)


def standing_of(state: Path) -> "tuple[StateFolder, Standing | None]":
    """What the folder says. Raises StateUnusable."""
    from parent.lifecycle.folder import StateFolder

    folder = StateFolder(state)
    return folder, folder.read()


def record_of(standing: "Standing | None", number: int) -> "Record":
    """That enclave's; raise CommandFailed when there is none."""
    for record in standing.enclaves if standing else ():
        if record.number == number:
            return record
    raise CommandFailed("no-such-enclave", f"expected the number of an enclave that runs, got {number}; see status")
