"""Guest memory: the files that the front end shares, mapped, and every address checked before it is followed."""

import fcntl
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.simulator.vhost.errors import GuestFault, ProtocolFault
from strongroom.simulator.vhost.messages import RegionLayout


@dataclass(frozen=True, slots=True)
class _Region:
    layout: RegionLayout
    content: memoryview


class GuestMemory:
    """The regions of one memory table."""

    def __init__(self, layouts: Sequence[RegionLayout], fds: Sequence[int]) -> None:
        """Map each region's file, which stays the caller's. Raises ProtocolFault."""
        self._regions = [_Region(layout, _mapped(layout, fd)) for layout, fd in zip(layouts, fds, strict=True)]

    def at_guest(self, address: int, size: int) -> memoryview:
        """`size` bytes at a guest-physical address, inside one region. Raises GuestFault."""
        for region in self._regions:
            offset = address - region.layout.guest_address
            if offset >= 0 and offset + size <= region.layout.size:
                return region.content[offset : offset + size]
        raise GuestFault(f"memory: expected {size} bytes inside one region, got guest address {address:#x}")

    def at_user(self, address: int, size: int) -> memoryview:
        """`size` bytes at an address of the front end, inside one region. Raises ProtocolFault."""
        for region in self._regions:
            offset = address - region.layout.user_address
            if offset >= 0 and offset + size <= region.layout.size:
                return region.content[offset : offset + size]
        raise ProtocolFault(f"memory: expected {size} bytes inside one region, got front end address {address:#x}")


def _mapped(layout: RegionLayout, fd: int) -> memoryview:
    """A region that lies whole inside its file, for good: behind a file's end, each access would be a SIGBUS."""
    if not _seals(fd) & fcntl.F_SEAL_SHRINK:
        raise ProtocolFault(
            "memory: expected a file sealed against shrinking (QEMU's memory-backend-memfd), got another"
        )
    held = os.fstat(fd).st_size
    if not 0 < layout.size <= held - layout.file_offset:
        raise ProtocolFault(f"memory: expected a region inside its file of {held} bytes, got {layout.size} bytes")
    if layout.file_offset % mmap.ALLOCATIONGRANULARITY:
        raise ProtocolFault(f"memory: expected an offset of whole pages, got {layout.file_offset:#x}")
    return memoryview(mmap.mmap(fd, layout.size, offset=layout.file_offset))


def _seals(fd: int) -> int:
    try:
        return fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError:  # a file that knows no seals
        return 0
