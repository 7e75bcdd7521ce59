"""Building an EIF of version 4 in nitro-cli's order, and signing one that is there.

kernel, cmdline, metadata, ramdisk, ramdisk …, [signature]
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from attestation.eif.layout import WRITTEN_VERSION, Header, SectionType, place
from attestation.eif.metadata import Metadata
from attestation.eif.reader import EIF
from attestation.eif.source import Progress
from strongroom.image.errors import InputRefused
from strongroom.image.parts import Part, measure
from strongroom.image.signing import Signer
from strongroom.image.writer import write_eif

MAX_CMDLINE_BYTES = 2047
"""COMMAND_LINE_SIZE of Linux on both architectures, without the NUL: a longer one would be cut, measured or not."""

_OTHER_SECTIONS = 3  # kernel, cmdline, metadata
_CMDLINE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class Sources:
    """What an image is made of. `ramdisks` become one initramfs, in this order; the first is measured into PCR1."""

    kernel: Path
    cmdline: str
    ramdisks: Sequence[Path]
    metadata: Metadata
    architecture: str = "x86_64"


def build_eif(output: Path, sources: Sources, signer: Signer | None = None, progress: Progress | None = None) -> EIF:
    """Write `output`, whole or not at all, and give what was read back.

    The same sources give the same bytes, signed or not. `progress` runs from 0 to the whole twice, and once more
    beforehand for a signed image. Raises InputRefused, WrittenOtherwise, EIFError, UnsoundEIF, OSError.
    """
    cmdline = _cmdline_bytes(sources.cmdline)
    place([0] * (_OTHER_SECTIONS + len(sources.ramdisks)))  # too many are told before so many files are open
    header = Header(WRITTEN_VERSION, sources.architecture, (), 0)
    with ExitStack() as stack:
        parts = [
            _opened(stack, SectionType.KERNEL, sources.kernel),
            Part.of_bytes(SectionType.CMDLINE, cmdline),
            Part.of_bytes(SectionType.METADATA, sources.metadata.to_bytes()),
            *(_opened(stack, SectionType.RAMDISK, path) for path in sources.ramdisks),
        ]
        if signer is not None:
            parts.append(signer.part(measure(parts, progress)[0]))
        return write_eif(output, header, parts, progress)


def sign_eif(file: Path, signer: Signer, output: Path | None = None, progress: Progress | None = None) -> EIF:
    """Write `file` with a signature, a new one where there was one, to `output` or in its own place.

    `progress` runs from 0 to the whole three times. Raises EIFError, UnsoundEIF, WrittenOtherwise, OSError.
    """
    with file.open("rb") as stream:
        image = EIF.from_stream(stream, progress)
        image.require_sound()
        parts = [*_unsigned(image, stream), signer.part(image.pcrs[0])]
        return write_eif(output or file, image.header, parts, progress)


def _unsigned(image: EIF, stream: BinaryIO) -> list[Part]:
    pairs = zip(image.sections, image.header.slots, strict=True)
    return [
        Part(section, stream, slot.data_offset, slot.data_bytes)
        for section, slot in pairs
        if section is not SectionType.SIGNATURE
    ]


def _opened(stack: ExitStack, section: SectionType, path: Path) -> Part:
    return Part.of_file(section, stack.enter_context(path.open("rb")))


def _cmdline_bytes(text: str) -> bytes:
    """Without white space at both ends, as nitro-cli strips its own."""
    text = text.strip(" \t\r\n")
    if not _CMDLINE.fullmatch(text):
        raise InputRefused("cmdline: expected printable ASCII in one line, got none or other characters")
    if len(text) > MAX_CMDLINE_BYTES:
        raise InputRefused(f"cmdline: expected at most {MAX_CMDLINE_BYTES} bytes, got {len(text)}: Linux would cut it")
    return text.encode("ascii")
