"""Modules in the order in which a kernel takes them, and what is refused about them."""

import lzma
from pathlib import Path

import pytest

from strongroom.image.elf import section
from strongroom.image.errors import InputRefused
from strongroom.image.kernel_modules import KernelModules, decompressed
from tests.image.elves import elf, module


def kernel(folder: Path, depends: dict[str, str], builtin: tuple[str, ...] = ()) -> KernelModules:
    (folder / "kernel" / "net").mkdir(parents=True)
    for name, needed in depends.items():
        (folder / "kernel" / "net" / f"{name}.ko.xz").write_bytes(lzma.compress(module(needed)))
    (folder / "modules.builtin").write_text("".join(f"kernel/net/{name}.ko\n" for name in builtin))
    return KernelModules(folder)


def test_what_a_module_needs_comes_first_and_once(tmp_path: Path) -> None:
    needs = {"vsock": "", "vsock-common": "vsock", "vsock_virtio": "vsock-common,virtio,vsock", "nsm": "rng-core"}
    modules = kernel(tmp_path, needs, builtin=("virtio", "rng-core")).in_order(["nsm", "vsock-virtio", "vsock"])
    assert [each.name for each in modules] == ["nsm", "vsock", "vsock_common", "vsock_virtio"]
    assert modules[0].content == module("rng-core")


def test_a_module_that_is_not_compressed_is_taken_as_it_is(tmp_path: Path) -> None:
    modules = kernel(tmp_path, {})
    (tmp_path / "kernel" / "plain.ko").write_bytes(module())
    assert [each.content for each in KernelModules(tmp_path).in_order(["plain"])] == [module()]
    assert modules.in_order([]) == []


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="expected the kernel module absent, got none"):
        kernel(tmp_path, {"a": "absent"}).in_order(["a"])


def test_modules_that_need_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="a → b → a"):
        kernel(tmp_path, {"a": "b", "b": "a"}).in_order(["a"])


PACKED = lzma.compress(b"x" * 1000)


@pytest.mark.parametrize(
    "packed",
    [b"", b"no xz file", PACKED[:-1], PACKED + b"x", lzma.compress(bytes((16 << 20) + 1))],
    ids=["empty", "other", "cut", "longer", "bomb"],
)
def test_a_broken_or_boundless_archive_is_refused(packed: bytes) -> None:
    with pytest.raises(InputRefused, match="kernel module: expected"):
        decompressed(packed)


def test_a_section_is_found_by_its_whole_name() -> None:
    file = elf({".rodata.str": b"no", ".rodata": b"yes"})
    assert section(file, ".rodata") == b"yes"
    with pytest.raises(InputRefused, match=r"expected a section \.text, got none"):
        section(file, ".text")


ELF = elf({".a": b"data"})


@pytest.mark.parametrize("file", [b"", ELF[:63], b"\x7fELF\x01" + ELF[5:], ELF[:-1], ELF[:60] + b"\xff\xff" + ELF[62:]])
def test_no_elf_file_gives_an_error_of_ours(file: bytes) -> None:
    with pytest.raises(InputRefused):
        section(file, ".a")


def test_every_cut_and_every_changed_byte_of_an_elf_file_is_read_or_refused() -> None:
    for at in range(len(ELF)):
        for broken in (ELF[:at], ELF[:at] + bytes([ELF[at] ^ 0xFF]) + ELF[at + 1 :]):
            try:
                section(broken, ".a")
            except InputRefused:
                continue
