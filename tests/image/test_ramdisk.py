"""The two ramdisks, laid out as nitro-cli's (facts: its linuxkit and init.c), and what init could not start."""

from io import BytesIO
from pathlib import Path

import pytest

from strongroom.image.cpio_reading import read
from strongroom.image.errors import InputRefused
from strongroom.image.kernel_modules import KernelModule
from strongroom.image.ramdisk import write_application, write_boot


def names(data: BytesIO, folder: Path) -> list[str]:
    (folder / "ramdisk").write_bytes(data.getvalue())
    return [entry.name for entry in read(folder / "ramdisk")]


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    root = tmp_path / "rootfs"
    (root / "usr" / "bin").mkdir(parents=True)
    (root / "usr" / "bin" / "app").write_bytes(b"")
    (root / "tmp").mkdir()
    return root


def test_the_first_holds_init_and_the_modules_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "init").write_bytes(b"\x7fELF")
    out = BytesIO()
    write_boot(out, tmp_path / "init", [KernelModule("vsock", b"1"), KernelModule("nsm", b"2")])
    assert names(out, tmp_path) == ["dev", "init", "modules", "modules/nsm.ko", "modules/order", "modules/vsock.ko"]
    assert b"vsock.ko\nnsm.ko\n" in out.getvalue()


def test_the_second_holds_the_image_below_rootfs_with_places_to_mount_at(rootfs: Path, tmp_path: Path) -> None:
    out = BytesIO()
    write_application(out, rootfs, ["/usr/bin/app", "-m", "x"], ["A=1", "B="])
    mounts = [f"rootfs/{name}" for name in ("dev", "proc", "run", "sys", "tmp", "var")]
    assert names(out, tmp_path) == sorted(
        ["cmd", "env", "rootfs", *mounts, "rootfs/usr", "rootfs/usr/bin", "rootfs/usr/bin/app"]
    )
    assert b"/usr/bin/app\n-m\nx\n" in out.getvalue()
    assert b"A=1\nB=\n" in out.getvalue()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([], "begins with an absolute path"),
        (["app"], "begins with an absolute path"),
        (["/usr/bin/other"], "got no such file"),
        (["/usr/bin/app", "a\nb"], "without line breaks"),
        (["/usr/bin/app", ""], "none of them empty"),
        (["/usr/bin/app", "a" * 65536], "expected at most 65535 bytes"),
    ],
    ids=["none", "relative", "absent", "line break", "empty", "long"],
)
def test_a_command_that_init_could_not_start_is_refused(rootfs: Path, command: list[str], message: str) -> None:
    with pytest.raises(InputRefused, match=message):
        write_application(BytesIO(), rootfs, command, [])


def test_a_variable_with_a_line_break_is_refused(rootfs: Path) -> None:
    with pytest.raises(InputRefused, match="env: expected elements without line breaks"):
        write_application(BytesIO(), rootfs, ["/usr/bin/app"], ["A=1\nLD_PRELOAD=x"])
