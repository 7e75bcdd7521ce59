"""What an EIF measures: in this machine none is booted, but its enclaves attest what nitro-cli was given."""

from pathlib import Path

from attestation.eif.reader import EIF


def pcrs_of(eif: Path) -> dict[int, bytes]:
    """PCR0 to PCR2."""
    with eif.open("rb") as stream:
        pcrs = EIF.from_stream(stream).pcrs
    return {index: pcrs[index] for index in range(3)}
