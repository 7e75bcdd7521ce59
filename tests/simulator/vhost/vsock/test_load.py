"""The device as a process, with bytes in both directions at once, in pieces of any size."""

import hashlib
import os
import random
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.simulator.vhost.messages import Request
from strongroom.simulator.vhost.vsock.credit import Credit
from strongroom.simulator.vhost.vsock.packets import HEADER_BYTES, STREAM, Header, Operation, Shutdown
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen
from tests.simulator.vhost.driver import Driver, Memory
from tests.simulator.vhost.front_end import FEATURES, FrontEnd, number
from tests.simulator.vhost.process import VSOCK, program
from tests.simulator.vhost.vsock.guest import CID, PARENT

SIZE_BYTES = 64 << 20
ROOM_BYTES = 128 << 10
MAX_PIECE_BYTES = 64 << 10
PATIENCE_S = 20.0


def pieces(seed: str) -> Iterator[bytes]:
    """SIZE_BYTES of bytes that do not repeat, in pieces of any size."""
    chance, left = random.Random(seed), SIZE_BYTES
    while left:
        size = min(left, chance.choice([1, 43, 4096, chance.randint(1, MAX_PIECE_BYTES)]))
        yield chance.randbytes(size)
        left -= size


@dataclass
class BusyGuest:
    """Sends all of its pieces on one stream as the device's credit allows, and takes what comes."""

    front: FrontEnd
    credit: Credit = field(default_factory=Credit)
    forwarded: int = 0
    announced: int = 0
    said_all: bool = False
    over: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random("buffers")
        self.incoming, self.outgoing = Driver(self.front.memory, 0), Driver(self.front.memory, 1)
        self.sent, self.got = hashlib.sha256(), hashlib.sha256()
        self.unused, self.content, self.rest = 32, pieces("guest"), b""

    def run(self) -> None:
        """To the RST that ends a stream of which both sides have said all."""
        for number_ in range(32):
            self.incoming.offer((), [HEADER_BYTES + 1 + 251 * number_])
        self.say(Operation.REQUEST)
        while not self.over:
            os.eventfd_write(self.front.kick, 1)
            assert select.select([self.front.call], [], [], PATIENCE_S)[0], "expected the device to go on"
            os.eventfd_read(self.front.call)
            self.take()
            self.give()

    def take(self) -> None:
        self.unused += len(list(self.outgoing.used()))
        for _, _, packet in self.incoming.used():
            header, content = Header.from_bytes(packet[:HEADER_BYTES]), packet[HEADER_BYTES:]
            self.credit.learn(header.buffer_bytes, header.forwarded)
            self.got.update(content)
            self.forwarded += len(content)
            assert self.forwarded - self.announced <= ROOM_BYTES
            self.over = header.operation == Operation.RST
            self.incoming.offer((), [HEADER_BYTES + self.chance.randint(1, 8000)])

    def give(self) -> None:
        while not self.said_all and self.unused > 1 and (room := self.credit.may_send()):
            self.rest = self.rest or next(self.content, b"")
            piece, self.rest = self.rest[:room], self.rest[room:]
            self.said_all = not piece
            self.sent.update(piece)
            self.credit.sent += len(piece)
            self.say(Operation.RW if piece else Operation.SHUTDOWN, piece, Shutdown(0) if piece else Shutdown.SEND)
        if self.forwarded - self.announced >= ROOM_BYTES // 2:
            self.say(Operation.CREDIT_UPDATE)

    def say(self, operation: Operation, content: bytes = b"", flags: int = 0) -> None:
        self.announced = self.forwarded
        counters = (flags, ROOM_BYTES, self.forwarded)
        header = Header(CID, PARENT, 5000, 6000, len(content), STREAM, operation, *counters).to_bytes()
        self.outgoing.offer([header, content] if content else [header])
        self.unused -= 1


def said(connection: socket.socket) -> bytes:
    """Say all of the program's pieces, and the end; the digest."""
    digest = hashlib.sha256()
    for piece in pieces("program"):
        connection.sendall(piece)
        digest.update(piece)
    connection.shutdown(socket.SHUT_WR)
    return digest.digest()


def heard(connection: socket.socket) -> bytes:
    """Read to the end, in bites of any size; the digest."""
    digest, chance = hashlib.sha256(), random.Random("bites")
    while piece := connection.recv(chance.randint(1, MAX_PIECE_BYTES)):
        digest.update(piece)
    return digest.digest()


def test_64_mib_both_ways_at_once_are_exact(tmp_path: Path, memory: Memory) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listen(UnixAddress(tmp_path / "v_6000")))
        listener.settimeout(PATIENCE_S)
        process, connection = stack.enter_context(program(tmp_path, *VSOCK))
        front = FrontEnd(connection, memory, lambda: None)
        stack.callback(front.close)
        front.say(Request.SET_FEATURES, number(FEATURES))
        front.share_memory()
        guest = BusyGuest(front)
        for driver in (guest.incoming, guest.outgoing):
            front.start(driver)
        threads = stack.enter_context(ThreadPoolExecutor(3))
        running = threads.submit(guest.run)
        peer = stack.enter_context(listener.accept()[0])
        peer.settimeout(PATIENCE_S)
        saying, hearing = threads.submit(said, peer), threads.submit(heard, peer)
        running.result()
        assert guest.got.digest() == saying.result()
        assert guest.sent.digest() == hearing.result()
        assert guest.forwarded == guest.credit.sent == SIZE_BYTES
    assert process.returncode == 0
