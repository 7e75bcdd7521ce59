"""The image put together from its parts: what is measured where, and the variant for stock QEMU."""

import struct
from pathlib import Path

import pytest

from strongroom.image.folders import Folders
from strongroom.image.kernel_modules import KernelModule
from strongroom.image.local_parts import CMDLINE, LocalParts
from strongroom.image.ramdisk import write_application
from strongroom.simulator.boot_image import build_boot_image
from tests.image.elves import module
from tests.image.images import read

NSM = module(rodata=struct.pack("<IIII", 33, 0xFFFFFFFF, 0, 0))


def parts(folder: Path, application: bytes = b"app") -> LocalParts:
    """The parts of a small image, in FOLDER/parts."""
    made = Folders(folder, folder).parts
    made.folder.mkdir(parents=True)
    made.kernel.write_bytes(b"KERNEL")
    made.init.write_bytes(b"INIT")
    made.keep_modules([KernelModule("vsock", module()), KernelModule("nsm", NSM)], "6.12-cloud")
    (folder / "rootfs").mkdir()
    (folder / "rootfs" / "app").write_bytes(application)
    with made.application.open("wb") as out:
        write_application(out, folder / "rootfs", ["/app"], ["A=1"])
    return made


def test_modules_keep_their_order(tmp_path: Path) -> None:
    assert [each.name for each in parts(tmp_path).modules()] == ["vsock", "nsm"]


def test_the_same_parts_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    images = [tmp_path / name for name in ("one.eif", "other.eif")]
    for image in images:
        made = parts(tmp_path / image.stem)
        made.assemble(image, made.modules(), "strongroom-local")
    assert images[0].read_bytes() == images[1].read_bytes()
    image_read = read(images[0])
    assert image_read.metadata is not None
    assert image_read.metadata.build_metadata.build_time == "1970-01-01T00:00:00Z"
    assert CMDLINE.encode() in images[0].read_bytes()


def test_a_changed_application_changes_pcr0_and_pcr2_alone(tmp_path: Path) -> None:
    one, other = parts(tmp_path / "one"), parts(tmp_path / "other", b"apq")
    before = one.assemble(tmp_path / "one.eif", one.modules(), "x").pcrs
    after = other.assemble(tmp_path / "other.eif", other.modules(), "x").pcrs
    assert [before[index] == after[index] for index in (0, 1, 2)] == [False, True, False]


def test_the_variant_for_qemu_has_another_driver_and_the_same_application(tmp_path: Path) -> None:
    made = parts(tmp_path)
    stock = made.assemble(tmp_path / "strongroom-local.eif", made.modules(), "strongroom-local").pcrs
    variant = build_boot_image(tmp_path).pcrs
    assert [stock[index] == variant[index] for index in (0, 1, 2)] == [False, False, True]
    assert read(tmp_path / "boot-test.eif").pcrs == variant


@pytest.mark.parametrize("missing", ["vmlinuz", "init", "application.cpio", "modules/nsm.ko"])
def test_a_missing_part_leaves_no_image(tmp_path: Path, missing: str) -> None:
    parts(tmp_path)
    (tmp_path / "parts" / missing).unlink()
    with pytest.raises(FileNotFoundError):
        build_boot_image(tmp_path)
    assert not (tmp_path / "boot-test.eif").exists()
