"""The package epsilon-attestation-verifier: given the root as a file, and allowed expired certificates."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

from epsilon_verifier.verifier import verify_attestation

from benchmarks.peers.turns import Refused, serve

_ROOT_PEM = str(Path(__file__).parents[2] / "attestation" / "aws-nitro-root-g1.pem")


def verify(document: bytes) -> None:
    """Raises Refused where its result says so."""
    text = base64.b64encode(document).decode()
    if not verify_attestation(text, aws_root_cert_path=_ROOT_PEM, allow_expired=True).valid:
        raise Refused


if __name__ == "__main__":
    logging.disable()  # its log lines would cost it time
    serve(verify)
