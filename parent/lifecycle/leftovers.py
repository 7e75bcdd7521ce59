"""What a supervisor that was killed left running: enclaves of nitro-cli outlive it, those on its leash do not."""

from collections.abc import Mapping
from dataclasses import dataclass

from parent.lifecycle.folder import StateFolder
from parent.lifecycle.launcher import Launcher
from parent.lifecycle.record import State


@dataclass(frozen=True)
class Leftovers:
    """The ids of enclaves that were ended, and the numbers of those that may have come up without one in the record."""

    ended: list[str]
    unknown: list[int]


def end_leftovers(folder: StateFolder, lasting: Mapping[str, Launcher]) -> Leftovers:
    """End them and clear the folder, which nobody may hold but the caller.

    `lasting` has the launchers, by name, whose enclaves outlive the process that started them. Raises what terminate
    raises; then the record stays.
    """
    standing = folder.read()
    launcher = lasting.get(standing.launcher) if standing else None
    if standing is None or launcher is None:
        folder.clear()
        return Leftovers([], [])
    ids = [each.enclave_id for each in standing.enclaves if each.enclave_id]
    for enclave_id in ids:
        launcher.terminate(enclave_id)
    folder.clear()
    starting = [each.number for each in standing.enclaves if each.state is State.STARTING and not each.enclave_id]
    return Leftovers(ids, starting)
