"""The two ramdisks of an EIF, laid out as nitro-cli and linuxkit do: what boots, and the application.

nitro-cli's own first ramdisk holds `init` and `nsm.ko`. Ours has more modules, since Debian's kernel has them as files.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from strongroom.image import cpio
from strongroom.image.errors import InputRefused
from strongroom.image.kernel_modules import KernelModule
from strongroom.image.tree import entries_of

_MOUNT_POINTS: Final = ("dev", "proc", "run", "sys", "tmp", "var")  # linuxkit's; init mounts over most of them
_MAX_TEXT_BYTES: Final = 64 * 1024 - 1  # init.c's


def write_boot(out: BinaryIO, init: Path, modules: Sequence[KernelModule]) -> None:
    """Ramdisk 0: `init`, and `modules/` with the file `order`, which names them as they are to be loaded."""
    order = "".join(f"{module.name}.ko\n" for module in modules)
    files = [cpio.regular(f"modules/{module.name}.ko", module.content) for module in modules]
    cpio.write(
        [
            cpio.directory("dev"),
            cpio.regular("init", init, executable=True),
            cpio.directory("modules"),
            cpio.regular("modules/order", order.encode()),
            *files,
        ],
        out,
    )


def write_application(out: BinaryIO, rootfs: Path, command: Sequence[str], environment: Sequence[str]) -> None:
    """Ramdisk 1: `rootfs/`, `cmd` and `env`. Raises InputRefused for what init could not start.

    ``command`` must begin with an absolute path that is in ``rootfs``: the path of nitro-cli's init is not the image's.
    """
    _check_command(rootfs, command)
    cpio.write(_application(rootfs, _lines("cmd", command), _lines("env", environment)), out)


def _application(rootfs: Path, command: bytes, environment: bytes) -> Iterator[cpio.Entry]:
    yield cpio.regular("cmd", command)
    yield cpio.regular("env", environment)
    found = list(entries_of(rootfs, "rootfs"))
    yield from found
    there = {entry.name for entry in found}
    yield from (cpio.directory(name) for each in _MOUNT_POINTS if (name := f"rootfs/{each}") not in there)


def _check_command(rootfs: Path, command: Sequence[str]) -> None:
    if not command or not command[0].startswith("/"):
        raise InputRefused("CMD of the image: expected a list that begins with an absolute path, got another")
    if not (rootfs / command[0].lstrip("/")).is_file():
        raise InputRefused(f"CMD of the image: expected {command[0]} in its file system, got no such file")


def _lines(name: str, elements: Sequence[str]) -> bytes:
    """One element a line, as nitro-cli writes them: an empty one, or one with a line break, would be read as others."""
    if not all(elements) or any(mark in each for each in elements for mark in "\n\0"):
        raise InputRefused(f"{name}: expected elements without line breaks, none of them empty")
    text = "".join(f"{each}\n" for each in elements).encode()
    if len(text) > _MAX_TEXT_BYTES:
        raise InputRefused(f"{name}: expected at most {_MAX_TEXT_BYTES} bytes, got {len(text)}")
    return text
