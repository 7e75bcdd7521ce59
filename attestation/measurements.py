"""Measurements: the values that PCRs take, and how each comes about (all SHA-384, 48 bytes).

PCR0 to 2 come from the image. The host sets PCR3 and PCR4; the appliance extends PCR16 and PCR17 once after boot.
"""

from __future__ import annotations

import hashlib
import re

from attestation.errors import PolicyError

IMAGE_PCRS = (0, 1, 2)
PARENT_ROLE_PCR = 3
CATALOGUE_PCR = 16
CONFIGURATION_PCR = 17

ZERO = bytes(48)
"""A register before its first extension; as PCR0, 1 and 2 it means debug mode."""

CONFIGURATION_LABEL = b"strongroom deployment configuration v1\0"
CATALOGUE_LABEL = b"strongroom model catalogue v1\0"

ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,512}")
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,32}")


def extend(register: bytes, data: bytes) -> bytes:
    """The register's next value, SHA384(register ‖ data). Raises PolicyError unless it has 48 bytes."""
    if len(register) != len(ZERO):
        raise PolicyError(f"expected a register of {len(ZERO)} bytes, got {len(register)}")
    return hashlib.sha384(register + data).digest()


EMPTY_APPLICATION_PCR2 = extend(ZERO, hashlib.sha384(b"").digest())
"""PCR2 of every image with a single ramdisk: it measures no application."""


def parent_role_pcr3(arn: str) -> bytes:
    """PCR3 of enclaves whose parent instance has the IAM role ``arn``. Raises PolicyError for another ARN."""
    if not ROLE_ARN.fullmatch(arn):
        raise PolicyError("expected an IAM role's ARN, arn:aws:iam::<account>:role/<name>")
    return extend(ZERO, arn.encode("ascii"))


def parent_instance_pcr4(instance_id: str) -> bytes:
    """PCR4 of enclaves on the parent instance ``i-…``. Raises PolicyError for another id."""
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise PolicyError("expected an instance id, i-<hexadecimal digits>")
    return extend(ZERO, instance_id.encode("ascii"))


def labelled_digest(label: bytes, data: bytes) -> bytes:
    """SHA384(label ‖ data): what the appliance extends into a register for the bytes it received."""
    return hashlib.sha384(label + data).digest()


def configuration_pcr17(data: bytes) -> bytes:
    """PCR17 of an appliance configured with exactly these bytes."""
    return extend(ZERO, labelled_digest(CONFIGURATION_LABEL, data))


def catalogue_pcr16(data: bytes) -> bytes:
    """PCR16 of an appliance whose model catalogue is exactly these bytes."""
    return extend(ZERO, labelled_digest(CATALOGUE_LABEL, data))
