"""`python -m strongroom.simulator.vhost.nsm`: the software NSM as a device, behind QEMU's vhost-user-rng.

Stock QEMU has no device for an NSM; the guest's driver is told that one of entropy's number (4) is its own (33).
"""

import argparse
import sys
from pathlib import Path

from attestation.eif.reader import EIF
from attestation.errors import AttestationError
from strongroom.simulator.nsm import SoftwareNSM
from strongroom.simulator.pki import SimulatedPKI
from strongroom.simulator.vhost.nsm.device import NSMDevice
from strongroom.simulator.vhost.program import run


def main() -> int:
    """Serve one machine; exit code as of `run`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="UNIX socket for QEMU's chardev")
    parser.add_argument("--state", type=Path, required=True, help="state folder that holds the simulator's PKI")
    parser.add_argument(
        "--eif", type=Path, required=True, help="the image that boots: PCR0 to 2, and 8 of a signed one"
    )
    parser.add_argument("--parent-role", required=True, help="ARN of the simulated parent's IAM role (PCR3)")
    parser.add_argument("--parent-instance", required=True, help="simulated instance id (PCR4)")
    arguments = parser.parse_args()
    try:
        nsm = _nsm(arguments)
    except (AttestationError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return run(arguments.socket, lambda _: NSMDevice(nsm))


def _nsm(arguments: argparse.Namespace) -> SoftwareNSM:
    with arguments.eif.open("rb") as stream:
        image_pcrs = EIF.from_stream(stream).pcrs
    return SoftwareNSM(
        SimulatedPKI.open(arguments.state),
        image_pcrs=image_pcrs,
        parent_role_arn=arguments.parent_role,
        parent_instance_id=arguments.parent_instance,
    )


if __name__ == "__main__":
    sys.exit(main())
