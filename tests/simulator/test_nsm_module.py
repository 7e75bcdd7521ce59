"""The driver for another device: one number changes, and nothing but the module expected is changed at all."""

import struct

import pytest

from strongroom.image.errors import InputRefused
from strongroom.simulator.nsm_module import behind_vhost_user_rng, without_signature
from tests.image.elves import module

TABLE = struct.pack("<IIII", 33, 0xFFFFFFFF, 0, 0)
MARK = b"~Module signature appended~\n"


def signed(content: bytes, signature: bytes = b"S" * 40) -> bytes:
    return content + signature + struct.pack(">8xI", len(signature)) + MARK


def test_one_number_changes_and_the_signature_goes() -> None:
    plain = module("rng-core", rodata=b"before" + TABLE + b"after")
    made = behind_vhost_user_rng(signed(plain))
    assert len(made) == len(plain)
    assert [(at, made[at], byte) for at, byte in enumerate(plain) if made[at] != byte] == [(plain.index(TABLE), 4, 33)]


@pytest.mark.parametrize("rodata", [b"", b"x" + TABLE[:8], TABLE + TABLE, struct.pack("<IIII", 33, 0, 0, 0)])
def test_another_module_is_refused(rodata: bytes) -> None:
    with pytest.raises(InputRefused, match="expected one table of virtio devices that names 33 alone"):
        behind_vhost_user_rng(module(rodata=rodata))


def test_no_module_at_all_is_refused() -> None:
    with pytest.raises(InputRefused, match="expected a 64-bit little-endian ELF file"):
        behind_vhost_user_rng(b"no module")


def test_an_unsigned_module_stays_as_it_is() -> None:
    assert without_signature(module()) == module()


@pytest.mark.parametrize(
    "content", [MARK, b"x" * 11 + MARK, struct.pack(">8xI", 1) + MARK], ids=["bare", "short", "long"]
)
def test_a_signature_that_cannot_be_is_refused(content: bytes) -> None:
    with pytest.raises(InputRefused, match="kernel module: expected a signature"):
        without_signature(content)
