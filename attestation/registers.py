"""PCR values that a policy may expect, and how they are held against a document (rule 30)."""

from __future__ import annotations

from collections.abc import Mapping

from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected, RejectionCode
from attestation.measurements import EMPTY_APPLICATION_PCR2, IMAGE_PCRS, PARENT_ROLE_PCR, ZERO

MAX_PCR = 31

_MAX_INDEX = {"enclave": MAX_PCR, "nitrotpm": 23}
_CODE_PCRS = frozenset({0, 8, *range(16, MAX_PCR + 1)})  # the image, its signer, what the code itself measures


def check_equal(pcrs: Mapping[int, bytes], document: AttestationDocument, of_name: str = "") -> None:
    """``document`` has each of ``pcrs``, byte for byte. Raises Rejected (measurement-absent, measurement).

    ``of_name`` ends what the error says is expected.
    """
    for index, expected in pcrs.items():
        actual = document.pcrs.get(index)
        if actual is None:
            raise Rejected(RejectionCode.MEASUREMENT_ABSENT, f"PCR{index} {expected.hex()}{of_name}", "no such PCR")
        if actual != expected:
            raise Rejected(RejectionCode.MEASUREMENT, f"PCR{index} {expected.hex()}{of_name}", actual.hex())


def check_tuple(pcrs: Mapping[int, bytes], any_parent_role: bool) -> None:
    """Measured values of one build, with the parent's role or ``any_parent_role``, and not both. Raises PolicyError."""
    for index, value in pcrs.items():
        _check_register(index, value, MAX_PCR)
    if missing := [index for index in IMAGE_PCRS if index not in pcrs]:
        raise PolicyError(f"expected PCR0, PCR1 and PCR2 together, got no PCR{missing[0]}")
    _check_application(pcrs)
    if any_parent_role is not (PARENT_ROLE_PCR not in pcrs):
        raise PolicyError("expected either PCR3, the parent's role, or any_parent_role=True, and not both")


def check_pins(pcrs: Mapping[int, bytes], kind: str) -> None:
    """Measured values, at least one; of an enclave, at least one that says which code runs. Raises PolicyError."""
    if kind not in _MAX_INDEX:
        raise PolicyError(f"expected kind {' or '.join(_MAX_INDEX)}, got {kind!r}")
    if not pcrs:
        raise PolicyError("expected at least one pinned PCR, got none")
    for index, value in pcrs.items():
        _check_register(index, value, _MAX_INDEX[kind])
    if kind == "enclave":
        _check_application(pcrs)
        if _CODE_PCRS.isdisjoint(pcrs):
            raise PolicyError("expected PCR0, PCR8 or one of PCR16 to 31 among the pins: no other says what runs")


def _check_register(index: object, value: object, max_index: int) -> None:
    if type(index) is not int or not 0 <= index <= max_index:
        raise PolicyError(f"expected PCR indices 0 to {max_index}, got {index!r}")
    if not isinstance(value, bytes) or len(value) != len(ZERO):
        raise PolicyError(f"expected {len(ZERO)} bytes for PCR{index}")
    if value == ZERO:
        raise PolicyError(f"expected a measured PCR{index}, got zeros, which measure nothing")


def _check_application(pcrs: Mapping[int, bytes]) -> None:
    if pcrs.get(2) == EMPTY_APPLICATION_PCR2:
        raise PolicyError("expected a PCR2 that measures an application, got that of an image without one")
