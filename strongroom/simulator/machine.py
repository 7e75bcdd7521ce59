"""A machine that boots an EIF stands in for the simulated enclave: `python -m strongroom.simulator.machine`.

Kernel, driver of the NSM, vsock and image are real, the CPU is emulated, and the documents chain to the root of the
state folder. It proves nothing about Nitro hardware, but it refuses what nitro-cli does: less memory than four times
the EIF.
"""

import argparse
import signal
import sys
from pathlib import Path

from attestation.eif.errors import EIFError, UnsoundEIF
from enclave.addresses import CONTROL_PORT
from parent.lifecycle.errors import DoesNotFit
from parent.lifecycle.plan import require_memory
from strongroom.process import emit
from strongroom.simulator.part import PartFailed
from strongroom.simulator.qemu.command import Hardware, ToolMissing
from strongroom.simulator.qemu.machine import Machine, Parent

_HEARTBEAT_S = 90.0
_APPLICATION_S = 150.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eif", type=Path, required=True, help="the image, with an NSM driver for QEMU's device")
    parser.add_argument("--state", type=Path, required=True, help="state folder that holds the simulator's PKI")
    parser.add_argument("--sockets", type=Path, required=True, help="folder of the UNIX sockets")
    parser.add_argument("--number", type=int, default=1, help="of several enclaves with one folder")
    parser.add_argument("--memory-mib", type=int, default=1536, help="of the machine")
    parser.add_argument("--cpus", type=int, default=2, help="of the machine")
    parser.add_argument("--parent-role", required=True, help="ARN of the simulated parent's IAM role (PCR3)")
    return parser.parse_args()


def main() -> int:
    """Boot, tell of the heartbeat and of the open control port, wait for the end; the exit code is QEMU's, 1 else."""
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    hardware, parent = Hardware(arguments.memory_mib, arguments.cpus), Parent(arguments.parent_role)
    try:
        require_memory(arguments.memory_mib, arguments.eif.stat().st_size)
        with Machine(
            arguments.eif, arguments.sockets, arguments.state, hardware, parent, number=arguments.number
        ) as machine:
            machine.wait_heartbeat(_HEARTBEAT_S)
            emit("heartbeat")
            machine.wait_port(CONTROL_PORT, _APPLICATION_S)
            emit("listening")
            return machine.wait_ended()
    except (PartFailed, ToolMissing, DoesNotFit, EIFError, UnsoundEIF, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
