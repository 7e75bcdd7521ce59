"""An enclave that is a process: the image's application on vsock ports, with the software NSM of a state folder.

`python -m tests.boot.inside.enclave STATE ROLE EIF`. The image's own entry point has no switch for that, and the
simulated one listens on UNIX sockets. It attests what that EIF measures; its parent is the machine that it runs in.
Models are tried with more time than the image gives them: the processor is emulated, and others want the host's, too.
"""

import sys
from pathlib import Path
from unittest.mock import patch

from enclave.hardening import clear_environment, forbid_dumps, silence

_PROBE_S = 300


def main(state: str, parent_role: str, eif: str) -> int:
    """Compose and run one boot; exit codes as in the image."""
    clear_environment()
    silence()
    forbid_dumps()
    # Only now, as in the image: these imports run code that reads the environment.
    from enclave.addresses import Addresses
    from enclave.engine.probe.probe import Limits
    from enclave.server import run
    from strongroom.simulator.nsm import SoftwareNSM
    from strongroom.simulator.pki import SimulatedPKI
    from tests.boot.inside import CID
    from tests.boot.inside.image import pcrs_of

    nsm = SoftwareNSM(
        SimulatedPKI.open(Path(state)),
        image_pcrs=pcrs_of(Path(eif)),
        parent_role_arn=parent_role,
        parent_instance_id="i-0123456789abcdef0",
    )
    usual = Limits.of
    with patch.object(Limits, "of", lambda size: usual(size)._replace(cpu_s=_PROBE_S, wall_s=_PROBE_S)):
        return run(nsm, Addresses.vsock(CID))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
