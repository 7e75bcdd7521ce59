"""The entry point of the image: `python -m enclave`. It knows /dev/nsm and vsock, and has no switch for either."""

import sys

from enclave.errors import BootRefused
from enclave.hardening import bound_memory, clear_environment, forbid_dumps, free_memory_bytes, silence


def main() -> int:
    """Harden the process, then boot. Exit codes: 0 terminated, 70 refused."""
    clear_environment()
    silence()
    forbid_dumps()
    bound_memory(free_memory_bytes())
    # Only now: these imports run code that reads the environment.
    from enclave.entropy import require_nsm_entropy, seed_kernel
    from enclave.nsm.device import DeviceNSM
    from enclave.nsm.interface import NSMError

    try:
        require_nsm_entropy()
        nsm = DeviceNSM.open()
        seed_kernel(nsm)
    except (BootRefused, NSMError) as refused:
        print(f"error: {refused}", file=sys.stderr)
        return 70
    from enclave.addresses import Addresses
    from enclave.clock import set_system_clock
    from enclave.server import run
    from strongroom.transport.addresses import PARENT_CID

    return run(nsm, Addresses.vsock(PARENT_CID), set_system_clock)


if __name__ == "__main__":
    sys.exit(main())
