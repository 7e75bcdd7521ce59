"""The simulated enclave: the same application as in the image, composed with the software NSM and UNIX sockets.

`python -m strongroom.simulator.enclave` is another entry point than the image's, and absent there (review R16).
"""

import argparse
import sys
from pathlib import Path

from enclave.hardening import bound_memory, clear_environment, forbid_dumps, silence

_MEMORY_BYTES = 4 << 30
"""Of the simulated machine."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="state folder that holds the simulator's PKI")
    parser.add_argument("--sockets", type=Path, required=True, help="folder of the UNIX sockets")
    parser.add_argument("--number", type=int, default=1, help="of several enclaves with one folder")
    parser.add_argument("--parent-role", required=True, help="ARN of the simulated parent's IAM role (PCR3)")
    parser.add_argument("--parent-instance", default="i-0123456789abcdef0", help="simulated instance id (PCR4)")
    return parser.parse_args()


def main() -> int:
    """Compose and run one boot; exit codes as in the image."""
    arguments = _arguments()
    clear_environment()
    silence()
    forbid_dumps()
    bound_memory(_MEMORY_BYTES)
    # Only now, as in the image: these imports run code that reads the environment.
    from enclave.server import run
    from strongroom.simulator.image import image_pcrs
    from strongroom.simulator.nsm import SoftwareNSM
    from strongroom.simulator.pki import SimulatedPKI
    from strongroom.simulator.sockets import enclave_addresses

    nsm = SoftwareNSM(
        SimulatedPKI.open(arguments.state),
        image_pcrs=image_pcrs(),
        parent_role_arn=arguments.parent_role,
        parent_instance_id=arguments.parent_instance,
    )
    return run(nsm, enclave_addresses(arguments.sockets, arguments.number))


if __name__ == "__main__":
    sys.exit(main())
