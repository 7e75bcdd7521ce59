"""The Rust verifier of Evervault, behind its Python bindings.

It judges by the system clock alone, and every stored document has expired: libfaketime holds this process's clock at
each document's own timestamp. CPU clocks run true under it.

Its last step compares ``user_data`` with the key of a TLS certificate that the caller hands in. Nobody has such a
certificate for other people's enclaves, so the answer is an error; chain and signature are verified by then, and the
turn counts. What it refuses before that step does not count.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import libfaketime
from evervault_attestation_bindings import attest_enclave

from benchmarks.peers.turns import Refused, serve

_ROOT_PEM = Path(__file__).parents[2] / "attestation" / "aws-nitro-root-g1.pem"
_ANY_CERTIFICATE = ssl.PEM_cert_to_DER_cert(_ROOT_PEM.read_text())
_LAST_STEP = (
    "User data was not set in the attestation doc",
    "The public key length in the attestation doc was invalid",
)
_EMPTY_PUBLIC_KEY = b"\x6apublic_key\x40"  # refused at once, in the words of the last step


def verify(document: bytes) -> None:
    """Raises Refused for what it refuses before its last step."""
    try:
        attest_enclave(_ANY_CERTIFICATE, [], document)
    except ValueError as error:
        if _EMPTY_PUBLIC_KEY in document or not str(error).endswith(_LAST_STEP):
            raise Refused from None


def held_at(timestamp_ms: int) -> libfaketime.fake_time:
    """A clock that stands still at ``timestamp_ms``."""
    return libfaketime.fake_time(datetime.fromtimestamp(timestamp_ms / 1000, UTC).replace(tzinfo=None))


if __name__ == "__main__":
    libfaketime.reexec_if_needed(quiet=True)
    serve(verify, held_at)
