"""What a machine boots is what the image holds, and nothing is taken from an image that nobody should start."""

from pathlib import Path

import pytest

from attestation.eif.errors import EIFError, UnsoundEIF
from strongroom.simulator.qemu.boot_files import extract
from tests.simulator.qemu.image import COMMAND_LINE, KERNEL, RAMDISKS, write_image


def test_the_parts_of_an_image(tmp_path: Path) -> None:
    files = extract(write_image(tmp_path), tmp_path, "machine")
    assert files.kernel.read_bytes() == KERNEL
    assert files.ramdisk.read_bytes() == b"".join(RAMDISKS)
    assert files.command_line == COMMAND_LINE


def test_a_damaged_image_is_not_booted(tmp_path: Path) -> None:
    path = write_image(tmp_path)
    octets = bytearray(path.read_bytes())
    octets[600] ^= 1
    path.write_bytes(octets)
    with pytest.raises(UnsoundEIF, match="CRC"):
        extract(path, tmp_path, "machine")
    assert not (tmp_path / "machine.kernel").exists()


def test_half_an_image_is_not_booted(tmp_path: Path) -> None:
    path = write_image(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EIFError, match="at byte"):
        extract(path, tmp_path, "machine")
