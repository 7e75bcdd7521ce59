"""A split virtqueue as the device sees it (virtio 1.2, section 2.7), without indirect descriptors and event indexes.

Neither is offered: a table in guest memory that points to another table is surface without need here.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.simulator.vhost.errors import GuestFault, ProtocolFault
from strongroom.simulator.vhost.memory import GuestMemory
from strongroom.simulator.vhost.messages import RingAddresses

MAX_SIZE = 1024
CHAINS_A_TURN = 64
"""What a device takes before it looks at what else is ready: a guest can refill its ring without end."""
_DESCRIPTOR = struct.Struct("<QIHH")
_USED = struct.Struct("<II")
_NEXT, _WRITE = 1, 2
_WRAP = 1 << 16


@dataclass(frozen=True, slots=True)
class Chain:
    """What the driver made available at once: pieces to read, then pieces to write."""

    head: int
    readable: tuple[memoryview, ...]
    writable: tuple[memoryview, ...]


class Virtqueue:
    """The three rings of one queue, from the `base`-th available chain on; `signal` interrupts the guest."""

    def __init__(
        self, memory: GuestMemory, size: int, addresses: RingAddresses, base: int, signal: Callable[[], None]
    ) -> None:
        """Raises ProtocolFault for rings that do not lie in memory."""
        if not 0 < size <= MAX_SIZE or size & (size - 1):
            raise ProtocolFault(f"queue: expected a power of two up to {MAX_SIZE}, got {size}")
        if addresses.used % 4 or addresses.available % 2:
            raise ProtocolFault("queue: expected aligned rings, got others")
        self._memory, self._size, self._signal = memory, size, signal
        self._descriptors = memory.at_user(addresses.descriptors, size * _DESCRIPTOR.size)
        # Cast to 16 bits: struct writes an index byte by byte, and the guest would see it half-written.
        self._available = memory.at_user(addresses.available, 4 + 2 * size).cast("H")
        used = memory.at_user(addresses.used, 4 + _USED.size * size)
        self._used_index, self._used = used[:4].cast("H"), used[4:]
        self._taken, self._given = base % _WRAP, self._used_index[1]
        self._held = 0
        self._unsignalled = False

    @property
    def base(self) -> int:
        """How many chains were taken, modulo 2^16."""
        return self._taken

    def pop(self) -> Chain | None:
        """The next chain, or None. Raises GuestFault for a chain that breaks a rule."""
        waiting = (self._available[1] - self._taken) % _WRAP
        if waiting > self._size:
            raise GuestFault(f"queue: expected at most {self._size} available chains, got {waiting}")
        if not waiting:
            return None
        if self._held >= self._size:  # a driver that offers again what it has not got back
            raise GuestFault(f"queue: expected at most {self._size} chains that are not given back, got another")
        chain = self._chain(self._available[2 + self._taken % self._size])
        self._taken = (self._taken + 1) % _WRAP
        self._held += 1
        return chain

    def put_back(self) -> None:
        """Make the chain that was popped last the next one again."""
        self._taken = (self._taken - 1) % _WRAP
        self._held -= 1

    def push(self, chain: Chain, written: int) -> None:
        """Give a chain back with `written` bytes in it."""
        _USED.pack_into(self._used, self._given % self._size * _USED.size, chain.head, written)
        self._given = (self._given + 1) % _WRAP
        self._used_index[1] = self._given
        self._held -= 1
        self._unsignalled = True

    def signal(self) -> None:
        """Interrupt the guest if anything was given back since the last time.

        The driver's wish for silence is not read: without a full memory barrier, which Python does not have, the
        driver could take its wish back unseen, and wait for ever.
        """
        if self._unsignalled:
            self._unsignalled = False
            self._signal()

    def _chain(self, head: int) -> Chain:
        readable: list[memoryview] = []
        writable: list[memoryview] = []
        index, more = head, True
        while more:
            if index >= self._size or len(readable) + len(writable) >= self._size:
                raise GuestFault(f"queue: expected a chain of at most {self._size} descriptors, got another or a loop")
            address, size, flags, following = _DESCRIPTOR.unpack_from(self._descriptors, index * _DESCRIPTOR.size)
            if flags & ~(_NEXT | _WRITE):
                raise GuestFault(f"queue: expected plain descriptors, got flags {flags:#x}")
            if writable and not flags & _WRITE:
                raise GuestFault("queue: expected readable descriptors before writable ones, got one after")
            (writable if flags & _WRITE else readable).append(self._memory.at_guest(address, size))
            index, more = following, bool(flags & _NEXT)
        return Chain(head, tuple(readable), tuple(writable))
