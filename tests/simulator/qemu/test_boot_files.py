"""What a machine boots is what the image holds, and nothing is taken from an image that nobody should start."""

import zlib
from pathlib import Path

import pytest

from attestation.eif.errors import EIFError, UnsoundEIF
from attestation.eif.layout import CRC_OFFSET, HEADER_BYTES
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


@pytest.mark.parametrize("octet", [b"\0", b"\xff"])
def test_a_command_line_that_nobody_can_pass_on_is_not_booted(tmp_path: Path, octet: bytes) -> None:
    path = write_image(tmp_path)
    octets = path.read_bytes().replace(COMMAND_LINE.encode(), COMMAND_LINE.encode()[:-1] + octet)
    crc = zlib.crc32(octets[HEADER_BYTES:], zlib.crc32(octets[:CRC_OFFSET]))
    path.write_bytes(octets[:CRC_OFFSET] + crc.to_bytes(4) + octets[HEADER_BYTES:])
    with pytest.raises(EIFError, match="a command line of ASCII without zeros, got other bytes, at byte"):
        extract(path, tmp_path, "machine")
    assert not list(tmp_path.glob("machine.*"))


def test_a_disk_that_is_full_keeps_no_half(tmp_path: Path) -> None:
    (tmp_path / "machine.ramdisk").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        extract(write_image(tmp_path), tmp_path, "machine")
    assert not list(tmp_path.glob("machine.*"))
