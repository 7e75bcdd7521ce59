"""The virtio socket device (virtio 1.2, section 5.10): the guest's streams and UNIX sockets of the host, joined.

    guest → host   CID 2 or 3, port P   connects to the UNIX socket `PATH_P`; nobody there: RST
    host → guest   UNIX socket `PATH`   `CONNECT P` → `OK HOSTPORT`; nobody there: closed without a word

What the host's programs do not read is held up to BUFFER_BYTES a stream; what the guest does not read stays in their
sockets.
"""

import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from strongroom.simulator.vhost.errors import GuestFault
from strongroom.simulator.vhost.loop import HANGUP, READ, WRITE, Loop
from strongroom.simulator.vhost.pieces import split, total
from strongroom.simulator.vhost.queue import CHAINS_A_TURN, Chain, Virtqueue
from strongroom.simulator.vhost.vsock.greetings import Greetings
from strongroom.simulator.vhost.vsock.outbox import Outbox
from strongroom.simulator.vhost.vsock.packets import HEADER_BYTES, STREAM, Header, Operation, Shutdown
from strongroom.simulator.vhost.vsock.stream import CreditExceeded, Ends, Stream
from strongroom.simulator.vhost.vsock.streams import Streams
from strongroom.transport.addresses import PARENT_CID

_TO_GUEST, _FROM_GUEST = 0, 1
_HOST_CIDS = (2, PARENT_CID)
_PACKETS_A_TURN = 32
_ON_OPEN = frozenset(Operation) - {Operation.REQUEST, Operation.RESPONSE}


class VsockDevice:
    """A `Device` for the guest of that CID, whose host side lies at `path`."""

    queue_count = 2

    def __init__(self, path: Path, guest_cid: int, loop: Loop) -> None:
        """Listen for the host's programs. Raises OSError."""
        self.configuration = struct.pack("<Q", guest_cid)
        self._path, self._guest_cid, self._loop = path, guest_cid, loop
        self._outbox = Outbox()
        self._from_guest: Virtqueue | None = None
        self._streams = Streams(guest_cid)
        self._starved: set[Stream] = set()
        self._greetings = Greetings(path, loop, self._host_connected)

    def attach(self, index: int, queue: Virtqueue | None) -> None:
        """See `Device`. Without its queues the device has no streams."""
        if index == _TO_GUEST:
            self._outbox.queue = queue
        else:
            self._from_guest = queue
        if queue is None:
            self._outbox.clear()
            for stream in self._streams.all():
                self._drop(stream)

    def serve(self, index: int) -> bool:
        """See `Device`."""
        if index == _TO_GUEST:
            self._outbox.drain()
            starved, self._starved = self._starved, set()
            for stream in starved:
                self._settle(stream)
        more = self._read_packets()
        self._signal()
        return more

    def close(self) -> None:
        """End every stream, and listen no more."""
        for stream in self._streams.all():
            self._drop(stream)
        self._greetings.close()

    def _signal(self) -> None:
        for queue in (self._outbox.queue, self._from_guest):
            if queue is not None:
                queue.signal()

    def _read_packets(self) -> bool:
        queue = self._from_guest
        for _ in range(CHAINS_A_TURN):
            if queue is None or self._outbox.is_full or not (chain := queue.pop()):
                return False
            self._read_packet(chain)
            queue.push(chain, 0)
        return True

    def _read_packet(self, chain: Chain) -> None:
        front, body = split(chain.readable, HEADER_BYTES)
        header = Header.from_bytes(b"".join(front))
        if chain.writable or total(body) != header.length or header.source_cid != self._guest_cid:
            raise GuestFault(f"vsock: expected {header.length} readable bytes of guest {self._guest_cid}, got others")
        ends = Ends(header.destination_cid, header.destination_port, header.source_cid, header.source_port)
        stream = self._streams.get(ends)
        if stream is not None:
            self._on_packet(stream, header, body)
        elif self._may_connect(ends, header):
            self._guest_connects(ends, header)
        elif header.operation != Operation.RST:
            self._outbox.put(header.reset().to_bytes())

    def _may_connect(self, ends: Ends, header: Header) -> bool:
        is_request = header.operation == Operation.REQUEST and header.kind == STREAM
        return is_request and ends.host_cid in _HOST_CIDS and not self._streams.is_full

    def _guest_connects(self, ends: Ends, header: Header) -> None:
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            connection.connect(f"{self._path}_{ends.host_port}")
        except OSError:
            connection.close()
            self._outbox.put(header.reset().to_bytes())
            return
        stream = self._streams.add(ends, connection, is_open=True)
        stream.credit.learn(header.buffer_bytes, header.forwarded)
        self._outbox.put(stream.header(Operation.RESPONSE))
        self._settle(stream)

    def _host_connected(self, connection: socket.socket, port: int) -> None:
        if self._outbox.queue is None or self._outbox.is_full or self._streams.is_full:
            connection.close()
            return
        stream = self._streams.add(self._streams.new_ends(port), connection)
        self._outbox.put(stream.header(Operation.REQUEST))
        self._settle(stream)
        self._signal()

    def _on_packet(self, stream: Stream, header: Header, body: Sequence[memoryview]) -> None:
        if header.operation == Operation.RST and not stream.is_open:
            self._drop(stream)
            return
        stream.credit.learn(header.buffer_bytes, header.forwarded)
        known = header.kind == STREAM and self._applies(stream, header.operation)
        if not known or not self._attempt(stream, lambda: self._apply(stream, header, body)):
            self._reset(stream)
        else:
            self._settle(stream)

    @staticmethod
    def _applies(stream: Stream, operation: int) -> bool:
        """Whether a packet fits what the stream has seen so far."""
        return operation in _ON_OPEN if stream.is_open else operation == Operation.RESPONSE

    def _apply(self, stream: Stream, header: Header, body: Sequence[memoryview]) -> None:
        match header.operation:
            case Operation.RESPONSE:
                stream.is_open = True
                stream.socket.send(f"OK {stream.ends.host_port}\n".encode())
            case Operation.RW:
                stream.take(body)
            case Operation.SHUTDOWN:
                stream.shut(header.flags)
            case Operation.RST:
                stream.shut(Shutdown.SEND | Shutdown.RECEIVE)
            case Operation.CREDIT_REQUEST:
                self._outbox.put(stream.header(Operation.CREDIT_UPDATE))

    def _attempt(self, stream: Stream, work: Callable[[], None]) -> bool:
        """Do what may fail because the host's program is gone; false if the guest broke a rule."""
        try:
            work()
        except CreditExceeded:
            return False
        except OSError:
            stream.break_off()
            self._outbox.put(stream.header(Operation.SHUTDOWN, flags=Shutdown.RECEIVE))
        return True

    def _on_socket(self, stream: Stream, events: int) -> None:
        if not stream.is_open:
            self._reset(stream)  # the host's program went away before the guest answered
        else:
            if events & (WRITE | HANGUP):  # who shuts down unread bytes leaves no room to write, for ever
                self._attempt(stream, stream.flush)
            if events & READ:
                self._fill(stream)
            self._settle(stream)
        self._signal()

    def _fill(self, stream: Stream) -> None:
        for _ in range(_PACKETS_A_TURN):
            if not stream.can_fill:
                return
            try:
                size = self._outbox.fill(stream)
            except BlockingIOError:
                return
            except OSError:
                size = 0
            if size is None:
                self._starved.add(stream)
                return
            if not size:
                stream.host_done = True
                self._outbox.put(stream.header(Operation.SHUTDOWN, flags=Shutdown.SEND))

    def _settle(self, stream: Stream) -> None:
        """Send what is due, and watch for what the stream can use next."""
        if stream.is_over:
            self._reset(stream)
            return
        if stream.credit.is_update_due():
            self._outbox.put(stream.header(Operation.CREDIT_UPDATE))
        can_fill = stream.can_fill and stream not in self._starved
        events = (READ if can_fill else 0) | (WRITE if stream.has_pending else 0)
        if not stream.is_open:
            events = HANGUP
        if events:
            self._loop.watch(stream.socket.fileno(), events, lambda happened: self._on_socket(stream, happened))
        else:
            self._loop.forget(stream.socket.fileno())

    def _reset(self, stream: Stream) -> None:
        self._outbox.put(stream.header(Operation.RST))
        self._drop(stream)

    def _drop(self, stream: Stream) -> None:
        self._streams.remove(stream)
        self._starved.discard(stream)
        self._loop.forget(stream.socket.fileno())
        stream.socket.close()
