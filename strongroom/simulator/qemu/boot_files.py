"""What a machine boots, taken out of its EIF: the kernel, its command line, the ramdisks one behind the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from attestation.eif.errors import EIFError
from attestation.eif.layout import SectionType, Slot
from attestation.eif.reader import EIF

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BootFiles:
    """Files that an emulator takes as they are, and the command line that the image measures."""

    kernel: Path
    ramdisk: Path
    command_line: str

    def remove(self) -> None:
        """Delete the files: they are as large as the image."""
        self.kernel.unlink(missing_ok=True)
        self.ramdisk.unlink(missing_ok=True)


def extract(eif_path: Path, folder: Path, name: str) -> BootFiles:
    """Write the parts of a sound EIF to `folder`, under that name. Raises EIFError, UnsoundEIF, OSError."""
    with eif_path.open("rb") as stream:
        eif = EIF.from_stream(stream)
        eif.require_sound()
        files = BootFiles(folder / f"{name}.kernel", folder / f"{name}.ramdisk", _command_line(stream, eif))
        try:
            for path, kind in ((files.kernel, SectionType.KERNEL), (files.ramdisk, SectionType.RAMDISK)):
                with path.open("wb") as part:
                    part.writelines(_contents(stream, eif, kind))
        except OSError:  # a full disk, most likely
            files.remove()
            raise
        return files


def _command_line(stream: BinaryIO, eif: EIF) -> str:
    octets = b"".join(_contents(stream, eif, SectionType.CMDLINE))
    if not octets.isascii() or b"\0" in octets:
        at = eif.slots_of(SectionType.CMDLINE)[0].data_offset
        raise EIFError("a command line of ASCII without zeros", "other bytes", at)
    return octets.decode()


def _contents(stream: BinaryIO, eif: EIF, kind: SectionType) -> Iterator[bytes]:
    for slot in eif.slots_of(kind):
        yield from _pieces(stream, slot)


def _pieces(stream: BinaryIO, slot: Slot) -> Iterator[bytes]:
    stream.seek(slot.data_offset)
    for start in range(0, slot.data_bytes, _PIECE_BYTES):
        yield stream.read(min(_PIECE_BYTES, slot.data_bytes - start))
