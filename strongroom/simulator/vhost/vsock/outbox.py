"""What goes to the guest: packets of a header alone first, then the bytes of streams, as its buffers allow."""

from collections import deque

from strongroom.simulator.vhost.errors import GuestFault
from strongroom.simulator.vhost.pieces import split, total, write
from strongroom.simulator.vhost.queue import Chain, Virtqueue
from strongroom.simulator.vhost.vsock.packets import HEADER_BYTES, Operation
from strongroom.simulator.vhost.vsock.stream import Stream

_MAX_WAITING = 1024


class Outbox:
    """The guest's receive queue, and the packets that wait for its buffers."""

    def __init__(self) -> None:
        self.queue: Virtqueue | None = None
        self._waiting: deque[bytes] = deque()

    @property
    def is_full(self) -> bool:
        """Whether nothing that could be answered should be read for now."""
        return len(self._waiting) >= _MAX_WAITING

    def put(self, header: bytes) -> None:
        """Send a packet without content, as soon as there is a buffer."""
        self._waiting.append(header)
        self.drain()

    def drain(self) -> None:
        """Send what waits, as far as there are buffers."""
        while self._waiting and (chain := self._pop()):
            self._push(chain, self._waiting.popleft(), 0)

    def fill(self, stream: Stream) -> int | None:
        """Send a packet of what the host has for the stream: how many bytes, 0 at its end; None without a buffer.

        Raises OSError of the stream's socket, BlockingIOError included.
        """
        chain = None if self._waiting else self._pop()
        if chain is None or self.queue is None:
            return None
        try:
            size = stream.fill(split(chain.writable, HEADER_BYTES)[1])
        except OSError:
            self.queue.put_back()
            raise
        if size:
            self._push(chain, stream.header(Operation.RW, length=size), size)
        else:
            self.queue.put_back()
        return size

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _pop(self) -> Chain | None:
        chain = self.queue.pop() if self.queue else None
        if chain and (chain.readable or total(chain.writable) <= HEADER_BYTES):
            raise GuestFault(f"vsock: expected a writable buffer of more than {HEADER_BYTES} bytes, got another")
        return chain

    def _push(self, chain: Chain, header: bytes, size: int) -> None:
        write(split(chain.writable, HEADER_BYTES)[0], header)
        if self.queue:
            self.queue.push(chain, HEADER_BYTES + size)
