"""Attestation documents for the doctor's probes, made by the simulator: here, since only a command may import it."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.doctor.documents import DocumentMaker
    from strongroom.simulator.pki import SimulatedPKI


def document_makers(state: Path | None) -> "tuple[DocumentMaker | None, DocumentMaker | None]":
    """Makers under the root of `state` (None without one), and under a root of a moment's making.

    Without the simulator's packages there is neither; with a `state` that is ModuleNotFoundError.
    """
    try:
        from strongroom.simulator.pki import SimulatedPKI
    except ModuleNotFoundError:
        if state is not None:
            raise
        return None, None
    trusted = None if state is None else _maker(SimulatedPKI.open(state))
    return trusted, _maker(SimulatedPKI(secrets.token_bytes(32)))


def _maker(pki: "SimulatedPKI") -> "DocumentMaker":
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from strongroom.simulator.attest import AttestRequest, attest

    # The private half is dropped here: whatever KMS seals to it, nobody opens.
    recipient = rsa.generate_private_key(65537, 2048).public_key()
    public_key = recipient.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def make(pcrs: Mapping[int, bytes], at_ms: int) -> bytes:
        return attest(pki, AttestRequest(public_key, None, None, pcrs), at_ms=at_ms)

    return make
