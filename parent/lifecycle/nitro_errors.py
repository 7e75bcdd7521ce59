"""nitro-cli's error codes (its src/common/document_errors.rs) as one line each that says what to do."""

import re

from parent.lifecycle.allocator import DEFAULT_FILE, SERVICE
from parent.lifecycle.errors import LaunchFailed

_CODE = re.compile(r"\[ (E[0-9]{2}) \]")
_RAISE = f"{DEFAULT_FILE}, then restart {SERVICE}: strongroom enclave plan says how much"
_FREE_CPUS = f"fewer CPUs are free in the pool than asked for; raise cpu_count in {_RAISE}, or stop another enclave"
_FREE_MEMORY = f"fewer huge pages are free than asked for; raise memory_mib in {_RAISE}, or stop another enclave"
_PROCESS = "its process for the enclave did not answer: see /var/log/nitro_enclaves, and whether the enclave still runs"
_SOCKETS = f"/run/nitro_enclaves cannot be used: start {SERVICE}, and run as root or in the group ne"
_DRIVER = (
    "/dev/nitro_enclaves refused or cannot be opened: launch the instance with enclaves enabled, load the driver "
    "nitro_enclaves, and run as root or in the group ne"
)
_IMAGE = "it does not take the EIF, or its signature: strongroom eif describe says what is wrong"
_ADVICE = {
    "E05": _PROCESS,
    "E06": _PROCESS,
    "E07": _SOCKETS,
    "E08": _PROCESS,
    "E11": _SOCKETS,
    "E18": "its log file belongs to another user: run as the same user as before, or as root",
    "E19": f"a file cannot be opened: the EIF, or {_DRIVER}",
    "E20": "a CPU was named twice",
    "E21": _FREE_CPUS,
    "E22": _FREE_CPUS,
    "E26": "the memory is below four times the EIF: give --memory-mib as strongroom enclave plan says",
    "E27": _FREE_MEMORY,
    "E28": _DRIVER,
    "E29": _DRIVER,
    "E30": _DRIVER,
    "E31": _FREE_MEMORY,
    "E32": _FREE_CPUS,
    "E33": _DRIVER,
    "E35": _IMAGE,
    "E36": "the enclave's init sent no heartbeat on port 9000: too little memory for this image, or no image for Nitro",
    "E37": _PROCESS,
    "E38": _PROCESS,
    "E39": _PROCESS,
    "E40": _SOCKETS,
    "E41": _PROCESS,
    "E42": _FREE_MEMORY,
    "E58": "the enclave's name is not one that it knows",
    "E59": _IMAGE,
}


def failure(command: str, exit_code: int, said: str) -> LaunchFailed:
    """The error for what nitro-cli wrote to standard error; its own words only where the table has none."""
    match = _CODE.search(said)
    if match is None:
        return LaunchFailed(f"nitro-cli {command}: expected exit code 0, got {exit_code}, and no code of an error")
    code = match[1]
    advice = _ADVICE.get(code, f"nitro-cli explain --error-code {code} says what it means")
    return LaunchFailed(f"nitro-cli {command}: {code}, {advice}", code)
