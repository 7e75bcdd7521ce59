"""The image that a launcher gets."""

import lzma
from pathlib import Path

import pytest

from attestation.eif.errors import EIFError, UnsoundEIF
from parent.lifecycle import image as images
from parent.lifecycle.errors import ImageRefused
from parent.lifecycle.image import Image
from tests.attestation.eif.builder import RAMDISK, SECTIONS, Section
from tests.attestation.eif.builder import Image as EIFImage
from tests.parent.lifecycle.support import eif

RAMDISKS_BYTES = sum(len(section.data) for section in SECTIONS if section.type == RAMDISK)


def with_ramdisk(folder: Path, data: bytes) -> Path:
    path = folder / "x.eif"
    path.write_bytes(EIFImage((*SECTIONS, Section(RAMDISK, data))).to_bytes())
    return path


def test_ramdisks_count_as_what_they_unpack_to(tmp_path: Path) -> None:
    plain, packed = Image.check(eif(tmp_path)), Image.check(eif(tmp_path, zeros_mib=3))
    assert plain.unpacked_bytes == RAMDISKS_BYTES
    assert packed.unpacked_bytes == RAMDISKS_BYTES + (3 << 20)
    assert packed.file_bytes == packed.path.stat().st_size < 1 << 20
    assert len(bytes.fromhex(packed.pcr0)) == 48
    xz = Image.check(with_ramdisk(tmp_path, lzma.compress(bytes(5 << 20))))
    assert xz.unpacked_bytes == RAMDISKS_BYTES + (5 << 20)


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08 no gzip", b"\xfd7zXZ\0 no xz"], ids=["gzip", "xz"])
def test_a_ramdisk_that_does_not_unpack(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ImageRefused, match="expected a ramdisk that unpacks, got a damaged one at byte"):
        Image.check(with_ramdisk(tmp_path, data))


def test_a_bomb_is_not_counted_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_MAX_UNPACKED_BYTES", 2 << 20)
    with pytest.raises(ImageRefused, match="at most 2097152 bytes, unpacked"):
        Image.check(eif(tmp_path, zeros_mib=3))


def test_what_is_no_sound_eif(tmp_path: Path) -> None:
    with pytest.raises(UnsoundEIF, match="CRC"):
        Image.check(eif(tmp_path, crc32=0))
    (tmp_path / "short").write_bytes(eif(tmp_path).read_bytes()[:-1])
    with pytest.raises(EIFError, match="at byte"):
        Image.check(tmp_path / "short")
    with pytest.raises(ImageRefused, match="no regular file"):
        Image.check(tmp_path)
