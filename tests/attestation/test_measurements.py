"""Measurements against their formulas, written out here a second time."""

from __future__ import annotations

import hashlib

import pytest

from attestation import measurements
from attestation.errors import PolicyError

ROLE = "arn:aws:iam::111122223333:role/path/Strongroom"


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


@pytest.mark.parametrize("register", [b"", bytes(47), bytes(49)])
def test_extend_refuses_another_register(register: bytes) -> None:
    with pytest.raises(PolicyError):
        measurements.extend(register, b"data")


@pytest.mark.parametrize(
    "arn",
    ["", "strongroom", ROLE + "\n", ROLE + " x", ROLE.replace("role", "user"), ROLE.replace("1111", "1", 1)],
)
def test_refuses_another_role(arn: str) -> None:
    with pytest.raises(PolicyError):
        measurements.parent_role_pcr3(arn)


@pytest.mark.parametrize("instance_id", ["", "i-", "i-xyz", "m-0123456789abcdef0", "i-0123456789abcdef0\n"])
def test_refuses_another_instance(instance_id: str) -> None:
    with pytest.raises(PolicyError):
        measurements.parent_instance_pcr4(instance_id)


def test_formulas() -> None:
    zero = bytes(48)
    assert measurements.extend(zero, b"data") == sha384(zero + b"data")
    assert measurements.parent_role_pcr3(ROLE) == sha384(zero + ROLE.encode())
    assert measurements.parent_instance_pcr4("i-0123456789abcdef0") == sha384(zero + b"i-0123456789abcdef0")
    configuration = sha384(zero + sha384(b"strongroom deployment configuration v1\0" + b"bytes"))
    assert measurements.configuration_pcr17(b"bytes") == configuration
    assert measurements.catalogue_pcr16(b"bytes") == sha384(
        zero + sha384(b"strongroom model catalogue v1\0" + b"bytes")
    )


def test_the_pcr2_of_an_image_without_application_is_the_known_one() -> None:
    assert measurements.EMPTY_APPLICATION_PCR2.hex() == (
        "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"
    )
