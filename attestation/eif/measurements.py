"""What an EIF measures (facts of the format: two hashes per register, over section data alone).

``PCR = SHA384(48 zero bytes ‖ SHA384(data of its sections, in file order))``. No header, no metadata and no signature
is in PCR0, 1 or 2; PCR8 measures the signing certificate.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from attestation.eif.layout import SectionType
from attestation.measurements import ZERO, extend

SIGNING_CERTIFICATE_PCR = 8


class Sink(Protocol):
    """Anything that is fed bytes."""

    def update(self, data: bytes, /) -> None:
        """Take the next piece."""


class CRC32:
    """CRC-32/ISO-HDLC over everything fed."""

    def __init__(self) -> None:
        self.value = 0

    def update(self, data: bytes, /) -> None:
        """Take the next piece."""
        self.value = zlib.crc32(data, self.value)


class ImageHashes:
    """The hashes behind PCR0 (the whole image), PCR1 (kernel, cmdline, first ramdisk) and PCR2 (later ramdisks)."""

    def __init__(self) -> None:
        self._image, self._boot, self._application = hashlib.sha384(), hashlib.sha384(), hashlib.sha384()
        self._ramdisks = 0

    def of_next(self, section: SectionType) -> tuple[Sink, ...]:
        """The hashes that the data of the next kernel, cmdline or ramdisk go into."""
        if section is SectionType.RAMDISK:
            self._ramdisks += 1
            return self._image, self._boot if self._ramdisks == 1 else self._application
        return self._image, self._boot

    def pcrs(self) -> Mapping[int, bytes]:
        """PCR0, 1 and 2, 48 bytes each."""
        hashes = enumerate((self._image, self._boot, self._application))
        return MappingProxyType({index: extend(ZERO, each.digest()) for index, each in hashes})


def certificate_pcr8(der: bytes) -> bytes:
    """PCR8 of an image signed under this certificate."""
    return extend(ZERO, hashlib.sha384(der).digest())
