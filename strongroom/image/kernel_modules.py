"""Modules of a Debian kernel: found by name, decompressed, ordered so that each comes after those it needs.

A machine without depmod and modprobe loads them one by one; what a module needs stands in its section `.modinfo`.
"""

import lzma
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strongroom.image.elf import section
from strongroom.image.errors import InputRefused

_MAX_MODULE_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class KernelModule:
    """One module: its name with `_`, and the bytes that the kernel takes."""

    name: str
    content: bytes


class KernelModules:
    """The modules below a folder such as `usr/lib/modules/VERSION`."""

    def __init__(self, folder: Path) -> None:
        self._paths = {_name(path.name.partition(".ko")[0]): path for path in folder.rglob("*.ko*")}
        self._builtin = {_name(Path(line).stem) for line in (folder / "modules.builtin").read_text().splitlines()}

    def in_order(self, wanted: Iterable[str]) -> list[KernelModule]:
        """``wanted`` and all they need, each once, in the order in which they load; what is built in is left out.

        Raises InputRefused for a module that is not there, is broken, or needs itself.
        """
        ordered: dict[str, KernelModule] = {}
        for name in wanted:
            self._add(_name(name), ordered, ())
        return list(ordered.values())

    def _add(self, name: str, ordered: dict[str, KernelModule], above: tuple[str, ...]) -> None:
        if name in ordered or name in self._builtin:
            return
        if name in above:
            raise InputRefused(f"expected modules that do not need themselves, got {' → '.join((*above, name))}")
        module = KernelModule(name, self._content(name))
        for needed in _needed(module):
            self._add(needed, ordered, (*above, name))
        ordered[name] = module

    def _content(self, name: str) -> bytes:
        path = self._paths.get(name)
        if path is None:
            raise InputRefused(f"expected the kernel module {name}, got none in this kernel's package")
        return decompressed(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def decompressed(packed: bytes) -> bytes:
    """What one .xz file holds, at most 16 MiB. Raises InputRefused."""
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        content = decompressor.decompress(packed, _MAX_MODULE_BYTES)
    except lzma.LZMAError as error:
        raise InputRefused(f"kernel module: expected an .xz file: {error}") from None
    if not decompressor.eof or decompressor.unused_data:
        raise InputRefused(f"kernel module: expected one whole .xz file of at most {_MAX_MODULE_BYTES} bytes")
    return content


def _needed(module: KernelModule) -> Iterator[str]:
    for line in section(module.content, ".modinfo").split(b"\0"):
        if line.startswith(b"depends=") and line != b"depends=":
            yield from (_name(each) for each in line.removeprefix(b"depends=").decode("ascii", "replace").split(","))


def _name(name: str) -> str:
    return name.replace("-", "_")
