"""`python -m strongroom.simulator.vhost.vsock`: the virtio socket device behind QEMU's vhost-user-vsock-device."""

import argparse
import sys
from pathlib import Path

from strongroom.process import allow_descriptors
from strongroom.simulator.vhost.program import run
from strongroom.simulator.vhost.vsock.device import VsockDevice

_DESCRIPTORS = 1024


def main() -> int:
    """Serve one machine; exit code as of `run`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="UNIX socket for QEMU's chardev")
    parser.add_argument(
        "--at", type=Path, required=True, help="UNIX socket of the guest; its host ports lie at AT_PORT"
    )
    parser.add_argument("--guest-cid", type=int, required=True, help="context id of the guest, 4 or greater")
    arguments = parser.parse_args()
    if not 4 <= arguments.guest_cid < 1 << 32:
        parser.error(f"--guest-cid: expected 4 to {(1 << 32) - 1}, got {arguments.guest_cid}")
    allow_descriptors(_DESCRIPTORS)
    return run(arguments.socket, lambda loop: VsockDevice(arguments.at, arguments.guest_cid, loop))


if __name__ == "__main__":
    sys.exit(main())
