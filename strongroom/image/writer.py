"""Writing an EIF: in pieces, the CRC last, read back by the strict reader before it takes its name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from attestation.eif.layout import CRC_OFFSET, Header, SectionType, place, section_header
from attestation.eif.measurements import CRC32, ImageHashes
from attestation.eif.reader import EIF
from attestation.eif.sections import SectionRules
from attestation.eif.source import Progress
from attestation.measurements import IMAGE_PCRS
from strongroom.image.draft import replacing
from strongroom.image.errors import WrittenOtherwise
from strongroom.image.parts import Meter, Part

_CRC_BYTES = 4


def write_eif(output: Path, header: Header, parts: Sequence[Part], progress: Progress | None = None) -> EIF:
    """Write the parts in their order behind `header`, whose slots and CRC are made here, and give what was read back.

    `progress` runs from 0 to the whole twice: written, checked. Raises EIFError for parts that make no EIF,
    InputRefused, WrittenOtherwise, UnsoundEIF, OSError; then nothing took the name `output`.
    """
    header = replace(header, slots=place(part.data_bytes for part in parts))
    _check_rules(header, parts)
    with replacing(output) as file:
        crc32, pcrs = _write(file, header, parts, progress)
        file.flush()
        written = EIF.from_stream(file, progress)
        _check(written, replace(header, crc32=crc32), [part.section for part in parts], pcrs)
    return written


class _Output:
    """A sink that writes, and computes the CRC of all it wrote."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.crc = CRC32()

    def update(self, data: bytes, /) -> None:
        self._file.write(data)
        self.crc.update(data)


def _write(
    file: BinaryIO, header: Header, parts: Sequence[Part], progress: Progress | None
) -> tuple[int, Mapping[int, bytes]]:
    """The CRC and the registers of what was written."""
    output, hashes = _Output(file), ImageHashes()
    meter = Meter(sum(part.data_bytes for part in parts), progress)
    output.update(header.to_bytes()[:CRC_OFFSET])
    file.write(bytes(_CRC_BYTES))
    for part, slot in zip(parts, header.slots, strict=True):
        output.update(section_header(part.section, slot))
        part.feed(output, meter, *part.registers(hashes))
    file.seek(CRC_OFFSET)
    file.write(output.crc.value.to_bytes(_CRC_BYTES, "big"))
    return output.crc.value, hashes.pcrs()


def _check_rules(header: Header, parts: Sequence[Part]) -> None:
    """What the reader would refuse is refused before a byte is written."""
    rules = SectionRules(header.version)
    for part, slot in zip(parts, header.slots, strict=True):
        rules.admit(part.section, slot)
    rules.finish(header.slots[-1].data_offset + header.slots[-1].data_bytes)


def _check(written: EIF, header: Header, sections: Sequence[SectionType], pcrs: Mapping[int, bytes]) -> None:
    written.require_sound()
    if (written.header, list(written.sections)) != (header, list(sections)):
        raise WrittenOtherwise("expected the header and the sections as they were written, got others back")
    for index in IMAGE_PCRS:
        if written.pcrs[index] != pcrs[index]:
            raise WrittenOtherwise(f"expected the PCR{index} of what was written, got another back: check the disk")
