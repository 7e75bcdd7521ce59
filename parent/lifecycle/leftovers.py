"""What a supervisor that was killed left running: enclaves of nitro-cli outlive it, those on its leash do not."""

from collections.abc import Mapping

from parent.lifecycle.folder import StateFolder
from parent.lifecycle.launcher import Launcher


def end_leftovers(folder: StateFolder, lasting: Mapping[str, Launcher]) -> list[str]:
    """End them and clear the folder, which nobody may hold but the caller; the ids of those that were recorded.

    `lasting` has the launchers, by name, whose enclaves outlive the process that started them.
    """
    standing = folder.read()
    launcher = lasting.get(standing.launcher) if standing else None
    ids = [each.enclave_id for each in standing.enclaves if each.enclave_id] if standing and launcher else []
    for enclave_id in ids:
        if launcher is not None:
            launcher.terminate(enclave_id)
    folder.clear()
    return ids
