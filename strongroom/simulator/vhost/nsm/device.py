"""The NSM as a virtio device (Linux, drivers/misc/nsm.c): one queue, where the driver makes a request and the room for
its answer available as two buffers, and takes them back in that order.
"""

from collections import deque

from enclave.nsm.interface import MAX_REQUEST_BYTES, NSM, NSMErrorCode
from strongroom.simulator.vhost.errors import GuestFault
from strongroom.simulator.vhost.nsm.answers import answer, error_answer
from strongroom.simulator.vhost.pieces import total, write
from strongroom.simulator.vhost.queue import CHAINS_A_TURN, Chain, Virtqueue


class NSMDevice:
    """A `Device` whose answers are those of `nsm`."""

    queue_count = 1
    configuration = b""

    def __init__(self, nsm: NSM) -> None:
        self._nsm = nsm
        self._queue: Virtqueue | None = None
        self._requests: deque[Chain] = deque()
        self._rooms: deque[Chain] = deque()

    def attach(self, index: int, queue: Virtqueue | None) -> None:
        """See `Device`."""
        self._queue = queue
        self._requests.clear()
        self._rooms.clear()

    def serve(self, index: int) -> bool:
        """See `Device`."""
        if self._queue is None:
            return False
        more = self._take_turn(self._queue)
        self._queue.signal()
        return more

    def _take_turn(self, queue: Virtqueue) -> bool:
        for _ in range(CHAINS_A_TURN):
            if not (chain := queue.pop()):
                return False
            if bool(chain.readable) == bool(chain.writable):
                raise GuestFault("nsm: expected a buffer to read or one to write, got both or none")
            (self._requests if chain.readable else self._rooms).append(chain)
            if self._requests and self._rooms:
                self._answer(queue, self._requests.popleft(), self._rooms.popleft())
        return True

    def _answer(self, queue: Virtqueue, request: Chain, room: Chain) -> None:
        fits = total(request.readable) <= MAX_REQUEST_BYTES
        said = b"".join(request.readable) if fits else None
        answered = error_answer(NSMErrorCode.INPUT_TOO_LARGE) if said is None else answer(self._nsm, said)
        if len(answered) > total(room.writable):
            answered = error_answer(NSMErrorCode.BUFFER_TOO_SMALL)[: total(room.writable)]
        write(room.writable, answered)
        queue.push(request, 0)
        queue.push(room, len(answered))
