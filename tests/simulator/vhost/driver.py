"""A guest's driver without a guest: memory in a file, and the driver's half of a split virtqueue."""

import fcntl
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from strongroom.simulator.vhost.memory import GuestMemory
from strongroom.simulator.vhost.messages import RegionLayout, RingAddresses
from strongroom.simulator.vhost.queue import Virtqueue

GUEST_BASE = 0x4000_0000
"""Guest-physical address of the memory's first byte."""
USER_BASE = 0x7F00_0000_0000
"""Its address in the front end."""
MEMORY_BYTES = 4 << 20
QUEUE_BYTES = 1 << 20
"""What one driver takes of it: rings, then buffers."""
NEXT, WRITE, INDIRECT = 1, 2, 4
_BUFFERS_AT = 0x10000


class Memory:
    """Guest memory as a front end shares it."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("guest", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, MEMORY_BYTES)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        self.layout = RegionLayout(GUEST_BASE, MEMORY_BYTES, USER_BASE, 0)
        self.mapped = GuestMemory([self.layout], [self.fd])
        self.octets = self.mapped.at_guest(GUEST_BASE, MEMORY_BYTES)

    def close(self) -> None:
        """Give the file back."""
        os.close(self.fd)


@contextmanager
def guest_memory() -> Iterator[Memory]:
    memory = Memory()
    try:
        yield memory
    finally:
        memory.close()


class Driver:
    """One queue of `size`, whose rings and buffers lie from `index` times QUEUE_BYTES on."""

    def __init__(self, memory: Memory, index: int = 0, size: int = 64) -> None:
        self.memory, self.index, self.size = memory, index, size
        self._at = index * QUEUE_BYTES
        self._next_buffer = self._at + _BUFFERS_AT
        self._free = list(range(size))
        self._chains: dict[int, list[tuple[int, int, int]]] = {}
        self._made = self._seen = 0
        self.signals = 0

    @property
    def addresses(self) -> RingAddresses:
        """Where the front end says that the rings are."""
        at = USER_BASE + self._at
        return RingAddresses(self.index, at, at + 0x8000, at + 0x4000)

    def queue(self) -> Virtqueue:
        """The device's half."""
        return Virtqueue(self.memory.mapped, self.size, self.addresses, 0, self._signalled)

    def offer(self, readable: Sequence[bytes] = (), writable: Sequence[int] = ()) -> int:
        """Make one chain available; its head."""
        pieces = [(self._place(content), len(content), 0) for content in readable]
        pieces += [(self._place(bytes(size)), size, WRITE) for size in writable]
        return self.offer_raw(pieces)

    def offer_raw(self, pieces: Sequence[tuple[int, int, int]]) -> int:
        """Make a chain of (offset in memory, size, flags) available."""
        taken = [self._free.pop(0) for _ in pieces]
        for number, (offset, size, flags) in enumerate(pieces):
            last = number == len(pieces) - 1
            following = 0 if last else taken[number + 1]
            self.describe(taken[number], GUEST_BASE + offset, size, flags | (0 if last else NEXT), following)
        self._chains[taken[0]] = list(pieces)
        self.make_available(taken[0])
        return taken[0]

    def describe(self, index: int, address: int, size: int, flags: int, following: int) -> None:
        """Write one descriptor."""
        struct.pack_into("<QIHH", self.memory.octets, self._at + index * 16, address, size, flags, following)

    def make_available(self, head: int) -> None:
        """Put a head into the available ring."""
        struct.pack_into("<H", self.memory.octets, self._at + 0x4000 + 4 + 2 * (self._made % self.size), head)
        self._made = (self._made + 1) % 0x10000
        self.set_available(self._made)

    def set_available(self, index: int) -> None:
        """Say how many heads there ever were."""
        self._words(0x4000)[1] = index

    def used(self) -> Iterator[tuple[int, int, bytes]]:
        """What came back: head, bytes written, and those bytes. Its descriptors are free again."""
        index = self._words(0x8000)[1]
        while self._seen != index:
            at = self._at + 0x8000 + 4 + 8 * (self._seen % self.size)
            head, written = struct.unpack_from("<II", self.memory.octets, at)
            self._seen = (self._seen + 1) % 0x10000
            pieces = self._chains.pop(head)
            self._free += self._indexes(head, len(pieces))
            content = b"".join(bytes(self.memory.octets[at : at + size]) for at, size, flags in pieces if flags & WRITE)
            yield head, written, content[:written]

    def _words(self, ring: int) -> memoryview:
        """A ring's head in 16 bits at a time: byte by byte, a device in another process would see half an index."""
        return self.memory.octets[self._at + ring :][:4].cast("H")

    def _indexes(self, head: int, count: int) -> Iterator[int]:
        for _ in range(count):
            yield head
            (head,) = struct.unpack_from("<H", self.memory.octets, self._at + head * 16 + 14)

    def _place(self, content: bytes) -> int:
        if self._next_buffer + len(content) > self._at + QUEUE_BYTES:
            self._next_buffer = self._at + _BUFFERS_AT  # the oldest buffers are long used
        at = self._next_buffer
        self.memory.octets[at : at + len(content)] = content
        self._next_buffer += len(content)
        return at

    def _signalled(self) -> None:
        self.signals += 1
