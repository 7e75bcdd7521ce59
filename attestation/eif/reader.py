"""Reading an EIF: one pass, in pieces, strict about structure and blind to what kernel, cmdline and ramdisks hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO

from attestation.eif.errors import UnsoundEIF
from attestation.eif.layout import (
    CRC_OFFSET,
    HEADER_BYTES,
    SECTION_HEADER_BYTES,
    Header,
    SectionType,
    Slot,
    read_section_type,
)
from attestation.eif.measurements import CRC32, SIGNING_CERTIFICATE_PCR, ImageHashes, certificate_pcr8
from attestation.eif.metadata import Metadata
from attestation.eif.sections import SectionRules
from attestation.eif.signature import EIFSignature
from attestation.eif.source import Progress, Source


@dataclass(frozen=True, slots=True)
class EIF:
    """A well-formed EIF and its measurements. ``crc_matches`` and ``signature_holds`` are findings, not guarantees."""

    header: Header
    sections: tuple[SectionType, ...]
    """What lies in the header's slots, in file order."""
    pcrs: Mapping[int, bytes]
    """PCR0, 1 and 2, and PCR8 of a signed image; 48 bytes each."""
    crc_matches: bool
    signature: EIFSignature | None
    metadata: Metadata | None

    @classmethod
    def from_stream(cls, stream: BinaryIO, progress: Progress | None = None) -> EIF:
        """Read a seekable stream from its beginning to its end, once; memory does not grow with the file.

        ``progress`` is called after each piece. Raises EIFError, and whatever OSError the stream has.
        """
        return _read(Source(stream, progress))

    @property
    def version(self) -> int:
        """Of the format: 2, 3 or 4."""
        return self.header.version

    @property
    def architecture(self) -> str:
        """x86_64 or aarch64."""
        return self.header.architecture

    @property
    def signature_holds(self) -> bool | None:
        """Whether the signing certificate's key signed this PCR0; None for an unsigned image."""
        return None if self.signature is None else self.signature.holds(self.pcrs[0])

    def slots_of(self, section: SectionType) -> list[Slot]:
        """Where the sections of that type lie, in file order; none for a type that the image lacks."""
        return [slot for kind, slot in zip(self.sections, self.header.slots, strict=True) if kind is section]

    def require_sound(self) -> None:
        """What no launcher would start must not be signed, run or trusted either. Raises UnsoundEIF."""
        if not self.crc_matches:
            raise UnsoundEIF("crc", "the CRC that the header says", "another: the file is damaged; fetch it anew")
        if self.signature_holds is False:
            advice = "one that does not hold: image or signature was changed afterwards; build it anew"
            raise UnsoundEIF("signature", "a signature over this PCR0", advice)


def _read(source: Source) -> EIF:
    first = source.take(HEADER_BYTES)
    header = Header.from_bytes(first, source.size_bytes)
    sections = _Sections(source, header.version)
    sections.crc.update(first[:CRC_OFFSET])
    types = tuple(sections.admit(slot) for slot in header.slots)
    sections.rules.finish(source.size_bytes)
    pcrs = dict(sections.hashes.pcrs())
    if sections.signature is not None:
        pcrs[SIGNING_CERTIFICATE_PCR] = certificate_pcr8(sections.signature.certificate.der)
    return EIF(
        header=header,
        sections=types,
        pcrs=MappingProxyType(pcrs),
        crc_matches=sections.crc.value == header.crc32,
        signature=sections.signature,
        metadata=sections.metadata,
    )


class _Sections:
    """What the sections have given so far."""

    def __init__(self, source: Source, version: int) -> None:
        self._source = source
        self.rules = SectionRules(version)
        self.crc = CRC32()
        self.hashes = ImageHashes()
        self.signature: EIFSignature | None = None
        self.metadata: Metadata | None = None

    def take(self, count: int) -> bytes:
        """Bytes that are small by rule."""
        data = self._source.take(count)
        self.crc.update(data)
        return data

    def admit(self, slot: Slot) -> SectionType:
        """The next section, header and data. Raises EIFError."""
        section = read_section_type(self.take(SECTION_HEADER_BYTES), slot)
        self.rules.admit(section, slot)
        self._consume(section, slot.data_bytes, slot.data_offset)
        return section

    def _consume(self, section: SectionType, data_bytes: int, offset: int) -> None:
        if section is SectionType.SIGNATURE:
            self.signature = EIFSignature.from_bytes(self.take(data_bytes), offset)
        elif section is SectionType.METADATA:
            self.metadata = Metadata.from_bytes(self.take(data_bytes), offset)
        else:
            sinks = (self.crc, *self.hashes.of_next(section))
            for chunk in self._source.chunks(data_bytes):
                for sink in sinks:
                    sink.update(chunk)
