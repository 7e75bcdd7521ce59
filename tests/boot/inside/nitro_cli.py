"""nitro-cli, as tests/parent/lifecycle has it by contract, whose enclaves are processes of this machine.

`python -m tests.boot.inside.nitro_cli STATE ROLE COMMAND …`. As the real one it returns before the application listens,
and forgets an enclave that has ended. A file that bears an enclave's id has the id of its process. A supervisor asks
every second, and the processor is emulated: so few imports.
"""

import json
import os
import sys
from pathlib import Path
from signal import SIGKILL

from tests.parent.lifecycle import fake_nitro_cli as contract


def main(state: str, parent_role: str, command: str, *arguments: str) -> None:
    """Answer by contract, then do it."""
    before = _forget_ended()
    contract.main(command, *arguments)
    after = _running()
    for enclave_id in after - before:
        eif = arguments[arguments.index("--eif-path") + 1]
        _process_of(enclave_id).write_text(str(_start(state, parent_role, eif)))
    for enclave_id in before - after:
        os.kill(int(_process_of(enclave_id).read_text()), SIGKILL)


def _start(state: str, parent_role: str, eif: str) -> int:
    from subprocess import DEVNULL, Popen

    command = [sys.executable, "-m", "tests.boot.inside.enclave", state, parent_role, eif]
    return Popen(command, start_new_session=True, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL).pid


def _forget_ended() -> set[str]:
    """Those that are left."""
    living = [each for each in _described() if os.path.exists(f"/proc/{_process_of(each['EnclaveID']).read_text()}")]
    contract.RUNNING.write_text(json.dumps(living))
    return _running()


def _running() -> set[str]:
    return {each["EnclaveID"] for each in _described()}


def _described() -> list[dict[str, str]]:
    running: list[dict[str, str]] = json.loads(contract.RUNNING.read_text()) if contract.RUNNING.exists() else []
    return running


def _process_of(enclave_id: str) -> Path:
    return contract.FOLDER / enclave_id


if __name__ == "__main__":
    main(*sys.argv[1:])
