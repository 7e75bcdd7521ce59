"""All streams of one guest, by their ends, and never too many."""

import itertools
import socket

from strongroom.simulator.vhost.vsock.stream import Ends, Stream
from strongroom.transport.addresses import PARENT_CID

_FIRST_HOST_PORT = 1 << 30
_MAX_STREAMS = 512


class Streams:
    """A bounded table; `new_ends` counts the ports of the host up, so that one is not soon used again."""

    def __init__(self, guest_cid: int) -> None:
        self._guest_cid = guest_cid
        self._streams: dict[Ends, Stream] = {}
        self._ports = itertools.cycle(range(_FIRST_HOST_PORT, 2 * _FIRST_HOST_PORT))

    @property
    def is_full(self) -> bool:
        """Whether another one would be too many."""
        return len(self._streams) >= _MAX_STREAMS

    def get(self, ends: Ends) -> Stream | None:
        """The stream between those ends."""
        return self._streams.get(ends)

    def all(self) -> list[Stream]:
        """Those that there are now."""
        return list(self._streams.values())

    def new_ends(self, guest_port: int) -> Ends:
        """A port of the parent that has no stream yet, and that port of the guest."""
        free = (Ends(PARENT_CID, number, self._guest_cid, guest_port) for number in self._ports)
        return next(ends for ends in free if ends not in self._streams)

    def add(self, ends: Ends, connection: socket.socket, *, is_open: bool = False) -> Stream:
        """A new stream, which has that socket; the caller has asked whether the table is full."""
        stream = self._streams[ends] = Stream(ends, connection, is_open)
        return stream

    def remove(self, stream: Stream) -> None:
        """Forget a stream; its socket stays open."""
        del self._streams[stream.ends]
