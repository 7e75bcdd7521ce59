"""Measuring what arrived after boot: one PCR, extended once, locked, read back (review R4, R17)."""

from attestation.measurements import ZERO, extend
from enclave.errors import BootRefused
from enclave.nsm.interface import NSM


def measure_once(nsm: NSM, index: int, digest: bytes) -> None:
    """Extend PCR `index` from zero with a 48-byte digest and lock it.

    Raises BootRefused when the PCR was extended or locked before, or does not read back as the one expected value:
    after a restart of the application alone it would hold what another configuration left there.
    """
    before = nsm.describe_pcr(index)
    if before.locked or before.value != ZERO:
        raise BootRefused(
            "pcr-not-fresh", f"PCR{index}: expected it zero and unlocked, got it used; restart the enclave"
        )
    nsm.extend_pcr(index, digest)
    nsm.lock_pcr(index)
    after = nsm.describe_pcr(index)
    if not after.locked or after.value != extend(ZERO, digest):
        raise BootRefused("pcr-mismatch", f"PCR{index}: expected the measured value, locked, got another answer")
