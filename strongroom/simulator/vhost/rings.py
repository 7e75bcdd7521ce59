"""What the front end has said of one queue so far, and the queue itself once all of it is there."""

import os
from contextlib import suppress
from dataclasses import dataclass

from strongroom.simulator.vhost.memory import GuestMemory
from strongroom.simulator.vhost.messages import RingAddresses
from strongroom.simulator.vhost.queue import Virtqueue


@dataclass
class Ring:
    """One queue's settings; `kick` and `call` are event files that this object closes."""

    size: int = 0
    base: int = 0
    addresses: RingAddresses | None = None
    kick: int | None = None
    call: int | None = None
    enabled: bool = False
    queue: Virtqueue | None = None

    def start(self, memory: GuestMemory, addresses: RingAddresses) -> Virtqueue:
        """The queue as the front end has described it. Raises ProtocolFault."""
        self.queue = Virtqueue(memory, self.size, addresses, self.base, self._interrupt)
        return self.queue

    def pause(self) -> bool:
        """Forget the queue but not how many chains it took; whether there was one."""
        if self.queue is None:
            return False
        self.base, self.queue = self.queue.base, None
        return True

    def replace_kick(self, fd: int | None) -> None:
        """Take the file by which the guest says that chains are available."""
        self.kick = _replaced(self.kick, fd)

    def replace_call(self, fd: int | None) -> None:
        """Take the file by which the guest is interrupted."""
        self.call = _replaced(self.call, fd)

    def kicked(self) -> None:
        """Take the guest's sign off its file."""
        if self.kick is not None:
            with suppress(BlockingIOError):
                os.eventfd_read(self.kick)

    def kick_again(self) -> None:
        """Let the loop come back to this queue, behind what else is ready."""
        _write(self.kick)

    def _interrupt(self) -> None:
        _write(self.call)


def _replaced(old: int | None, new: int | None) -> int | None:
    """The new file, of which no use ever waits; the old one is closed."""
    if old is not None:
        os.close(old)
    if new is not None:
        os.set_blocking(new, False)
    return new


def _write(fd: int | None) -> None:
    if fd is not None:
        with suppress(BlockingIOError):  # its number is as high as it goes: whoever reads it has heard
            os.eventfd_write(fd, 1)
