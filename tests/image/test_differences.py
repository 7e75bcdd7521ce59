"""Two images compared part by part: equal ones, and the first name where they are not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.image import cpio
from strongroom.image.differences import first_difference
from strongroom.image.kernel_modules import KernelModule
from strongroom.image.local_parts import LocalParts

ENTRIES = {"rootfs/a": b"1", "rootfs/b": b"22", "rootfs/c": b""}


def write_archive(path: Path, files: dict[str, bytes], *, executable: str = "") -> None:
    entries = [cpio.regular(name, data, executable=name == executable) for name, data in files.items()]
    with path.open("wb") as out:
        cpio.write([cpio.directory("rootfs"), *entries], out)


def parts(folder: Path) -> LocalParts:
    folder.mkdir()
    made = LocalParts(folder)
    made.kernel.write_bytes(b"kernel")
    made.init.write_bytes(b"init")
    made.keep_modules([KernelModule("vsock", b"v"), KernelModule("nsm", b"n")], "6.12")
    write_archive(made.application, ENTRIES)
    return made


def test_equal_parts_have_no_difference(tmp_path: Path) -> None:
    assert first_difference(parts(tmp_path / "one"), parts(tmp_path / "other")) is None


def other_kernel(made: LocalParts) -> None:
    made.kernel.write_bytes(b"another")


def other_init(made: LocalParts) -> None:
    made.init.write_bytes(b"another")


def other_module(made: LocalParts) -> None:
    (made.folder / "modules" / "nsm.ko").write_bytes(b"another")


def more_modules(made: LocalParts) -> None:
    (made.folder / "modules" / "more.ko").write_bytes(b"")


def other_order(made: LocalParts) -> None:
    (made.folder / "modules" / "order").write_text("nsm\nvsock\n")


def other_content(made: LocalParts) -> None:
    write_archive(made.application, {**ENTRIES, "rootfs/b": b"23"})


def other_mode(made: LocalParts) -> None:
    write_archive(made.application, ENTRIES, executable="rootfs/b")


def one_file_more(made: LocalParts) -> None:
    write_archive(made.application, {**ENTRIES, "rootfs/aa": b""})


def one_file_less(made: LocalParts) -> None:
    write_archive(made.application, {name: ENTRIES[name] for name in ("rootfs/a", "rootfs/b")})


def other_end(made: LocalParts) -> None:
    with made.application.open("ab") as file:
        file.write(b"\0\0\0\0")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (other_kernel, "vmlinuz"),
        (other_init, "init"),
        (other_module, "modules/nsm.ko"),
        (more_modules, "modules/more.ko"),
        (other_order, "modules/order"),
        (other_content, "rootfs/b (content)"),
        (other_mode, "rootfs/b (mode, owner, time or links)"),
        (one_file_more, "rootfs/aa, which only one of them has"),
        (one_file_less, "rootfs/c, which only one of them has"),
        (other_end, "application.cpio, though all its entries are equal"),
    ],
)
def test_the_first_difference_is_named(change: Callable[[LocalParts], None], named: str, tmp_path: Path) -> None:
    one, other = parts(tmp_path / "one"), parts(tmp_path / "other")
    change(other)
    assert first_difference(one, other) == named
    assert first_difference(other, one) == named
