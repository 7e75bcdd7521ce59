"""Debug mode: the parent can read the enclave's console, and PCR0, 1 and 2 are zero (rule 29)."""

from __future__ import annotations

from attestation.documents import AttestationDocument
from attestation.errors import Rejected, RejectionCode
from attestation.measurements import IMAGE_PCRS, ZERO


def is_debug(document: AttestationDocument) -> bool:
    """An enclave that shows a zero image PCR, or none at all; one that is absent is for the policy to miss.

    PCR3 and PCR4 say nothing here: the host sets them in debug mode as well.
    """
    image = [document.pcrs[index] for index in IMAGE_PCRS if index in document.pcrs]
    return document.kind == "enclave" and (not image or ZERO in image)


def check_not_debug(document: AttestationDocument) -> None:
    """Raises Rejected (debug-mode)."""
    if is_debug(document):
        raise Rejected(RejectionCode.DEBUG_MODE, "measured PCR0, PCR1 and PCR2", "zeros or none")
