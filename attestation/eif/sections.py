"""Which sections an EIF has, how many of each, and in which order."""

from __future__ import annotations

from collections import Counter

from attestation.eif.errors import EIFError
from attestation.eif.layout import SectionType, Slot

MAX_SIGNATURE_BYTES = 32_768
"""The format's own limit."""

MAX_METADATA_BYTES = 128 * 1024
"""Ours, the format has none. The section holds what `docker inspect` says of an image, some 10 KiB, and at most 4 KiB
of the builder's own; so many bytes of hostile JSON, parsed, stay below 8 MiB."""

_MAX_BYTES = {SectionType.SIGNATURE: MAX_SIGNATURE_BYTES, SectionType.METADATA: MAX_METADATA_BYTES}
_SINCE_VERSION = {SectionType.SIGNATURE: 3, SectionType.METADATA: 4}


class SectionRules:
    """Fed with the sections in file order; refuses the first that breaks a rule."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._seen: Counter[SectionType] = Counter()

    def admit(self, section: SectionType, slot: Slot) -> None:
        """The next section. Raises EIFError."""
        name = section.name.lower()
        if self._version < _SINCE_VERSION.get(section, 0):
            raise EIFError(f"no {name} in version {self._version}", "one", slot.offset)
        if self._seen[section] and section is not SectionType.RAMDISK:
            raise EIFError(f"one {name}", "a second", slot.offset)
        if section is SectionType.RAMDISK and not self._seen[SectionType.KERNEL]:
            raise EIFError("a kernel before the first ramdisk", "none", slot.offset)
        limit = _MAX_BYTES.get(section, slot.data_bytes)
        if slot.data_bytes > limit:
            raise EIFError(f"at most {limit} bytes of {name}", f"{slot.data_bytes}", slot.offset)
        self._seen[section] += 1

    def finish(self, file_bytes: int) -> None:
        """No section follows. Raises EIFError when one is missing."""
        needed = [SectionType.KERNEL, SectionType.CMDLINE, SectionType.RAMDISK]
        if self._version >= _SINCE_VERSION[SectionType.METADATA]:
            needed.append(SectionType.METADATA)
        for section in needed:
            if not self._seen[section]:
                raise EIFError(f"a {section.name.lower()}", "the end of the file", file_bytes)
