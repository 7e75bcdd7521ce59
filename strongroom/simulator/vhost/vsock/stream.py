"""One stream between a port of the guest and a socket of the host: what it holds back, and how it ends."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from strongroom.simulator.vhost.pieces import split, total
from strongroom.simulator.vhost.vsock.credit import BUFFER_BYTES, Credit
from strongroom.simulator.vhost.vsock.packets import STREAM, Header, Operation, Shutdown


class CreditExceeded(Exception):
    """The guest sent more than it was allowed."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What names a stream: the host's CID and port as the guest knows them, and the guest's."""

    host_cid: int
    host_port: int
    guest_cid: int
    guest_port: int


@dataclass(eq=False)
class Stream:
    """A non-blocking socket of the host and the counters of its stream. Methods raise OSError of the socket."""

    ends: Ends
    socket: socket.socket
    is_open: bool = False
    credit: Credit = field(default_factory=Credit)
    guest_done: bool = False
    """The guest sends no more."""
    host_done: bool = False
    """The host's program sends no more, or the guest takes no more."""
    _pending: bytearray = field(default_factory=bytearray)

    def header(self, operation: Operation, *, length: int = 0, flags: int = 0) -> bytes:
        """The header of a packet to the guest."""
        return Header(
            source_cid=self.ends.host_cid,
            destination_cid=self.ends.guest_cid,
            source_port=self.ends.host_port,
            destination_port=self.ends.guest_port,
            length=length,
            kind=STREAM,
            operation=operation,
            flags=flags,
            buffer_bytes=BUFFER_BYTES,
            forwarded=self.credit.announce(),
        ).to_bytes()

    def take(self, pieces: Sequence[memoryview]) -> None:
        """Pass bytes of the guest on, and keep what the host does not take. Raises CreditExceeded, OSError."""
        size = total(pieces)
        if size > self.credit.may_receive():
            raise CreditExceeded
        if self.guest_done:  # sent before the guest heard that nobody takes it
            return
        self.credit.received += size
        sent = 0 if self._pending else self._send(pieces)
        self._pending += b"".join(pieces)[sent:]

    def flush(self) -> None:
        """Pass on what was kept, and then the guest's end. Raises OSError."""
        if self._pending:
            del self._pending[: self._send([memoryview(bytes(self._pending))])]
        if self.guest_done and not self._pending:
            self.socket.shutdown(socket.SHUT_WR)

    def fill(self, pieces: Sequence[memoryview]) -> int:
        """Read the host's bytes into guest memory; 0 at the host's end. Raises OSError, BlockingIOError included."""
        received: int = self.socket.recvmsg_into(split(pieces, self.credit.may_send())[0])[0]
        self.credit.sent += received
        return received

    @property
    def has_pending(self) -> bool:
        """Whether bytes wait for the host's program to read."""
        return bool(self._pending)

    @property
    def is_over(self) -> bool:
        """Whether both sides have said all, and all of it was passed on."""
        return self.guest_done and self.host_done and not self._pending

    @property
    def can_fill(self) -> bool:
        """Whether bytes of the host may go to the guest now."""
        return not self.host_done and self.credit.may_send() > 0

    def shut(self, flags: int) -> None:
        """The guest's SHUTDOWN. Raises OSError."""
        self.guest_done |= bool(flags & Shutdown.SEND)
        if flags & Shutdown.RECEIVE:
            self.host_done = True
            self.socket.shutdown(socket.SHUT_RD)
        self.flush()

    def break_off(self) -> None:
        """The host's program takes no more: forget what waits for it, and read what it still says."""
        self.guest_done = True
        self._pending.clear()

    def _send(self, pieces: Sequence[memoryview]) -> int:
        try:
            sent = self.socket.sendmsg(pieces)
        except BlockingIOError:
            return 0
        self.credit.forwarded += sent
        return sent
