"""The command line as it is installed, but for one thing: documents are judged under a simulator's root, not AWS's.

`python -m tests.boot.inside.command ANCHOR ARGUMENTS`. `enclave run nitro` has no option for that, on purpose.
"""

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from attestation.anchors import SimulatedTrustAnchor
from attestation.verifier import VerifiedDocument, verify
from strongroom.cli.commands import cli
from strongroom.cli.failures import run


def main(anchor: str, *arguments: str) -> int:
    """The command's exit code."""
    simulated = SimulatedTrustAnchor.from_pem(Path(anchor).read_bytes())

    def judge(document: bytes, **given: Any) -> VerifiedDocument:
        return verify(document, **{**given, "anchor": simulated, "allow_simulated": True})

    with patch("parent.trust.verify", judge), patch.object(sys, "argv", ["strongroom", *arguments]):
        return run(cli)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
