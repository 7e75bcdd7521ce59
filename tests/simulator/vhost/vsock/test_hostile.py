"""Guests, programs and front ends that say anything: the device stays within its bounds, and ends by faults alone."""

import os
import random
import socket
import struct
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from strongroom.simulator.vhost.backend import Backend
from strongroom.simulator.vhost.errors import DeviceFault, GuestFault
from strongroom.simulator.vhost.loop import Loop
from strongroom.simulator.vhost.messages import Request
from strongroom.simulator.vhost.vsock.credit import BUFFER_BYTES
from strongroom.simulator.vhost.vsock.device import VsockDevice
from strongroom.simulator.vhost.vsock.packets import HEADER_BYTES, Header, Operation
from tests.simulator.vhost.driver import GUEST_BASE, MEMORY_BYTES, QUEUE_BYTES, USER_BASE, WRITE, Memory
from tests.simulator.vhost.front_end import FEATURES
from tests.simulator.vhost.vsock.guest import CID, PARENT, Guest

NUMBERS = [0, 1, 2, 3, 44, 64, 255, 256, 1024, 4096, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
ADDRESSES = [
    *(base + offset for base in (GUEST_BASE, USER_BASE) for offset in (0, 0x4000, 0x8000, MEMORY_BYTES - 4096)),
    *(0, 4096, (1 << 63) - 1, 1 << 63, (1 << 64) - 4096, (1 << 64) - 1),
]


class Crowd:
    """The guest of one seed, and the programs of the host that it meets."""

    def __init__(self, guest: Guest, seed: int) -> None:
        self.guest, self.chance = guest, random.Random(seed)
        self.programs: list[socket.socket] = []

    def packet(self) -> None:
        """Any packet on one of a few ports, with true lengths."""
        pick = self.chance.choice
        self.guest.say(
            pick([*Operation, Operation.RW, Operation.RW, 0, 8, 0xFFFF]),
            guest=pick([1, 2, 3]),
            host=pick([6000, 6000, 6000, 6001, 1 << 30, (1 << 30) + 1]),
            content=self.chance.randbytes(pick([0, 0, 1, 100, 60_000])),
            destination_cid=pick([PARENT, PARENT, PARENT, 2, 7]),
            kind=pick([1, 1, 1, 1, 1, 0, 2]),
            flags=pick([0, 1, 2, 3, 0xFFFFFFFF]),
            buffer_bytes=pick(NUMBERS),
            forwarded=pick(NUMBERS),
        )

    def dial(self) -> None:
        """A program of the host, which may say something at once."""
        program = socket.socket(socket.AF_UNIX)
        program.setblocking(False)
        self.programs.append(program)
        program.connect(str(self.guest.path))
        program.send(self.chance.choice([b"", b"CONNECT 1\n", b"CONNECT 2\nhello", b"CONNECT", b"x\n"]))

    def program(self) -> None:
        """One program reads, writes, shuts down or goes away."""
        if not self.programs:
            return
        program = self.chance.choice(self.programs)
        with suppress(OSError):
            match self.chance.randrange(5):
                case 0:
                    program.recv(self.chance.choice([1, 1000, 1 << 20]))
                case 1 | 2:
                    program.send(self.chance.randbytes(self.chance.choice([1, 1000, 300_000])))
                case 3:
                    program.shutdown(self.chance.choice([socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR]))
                case 4:
                    self.programs.remove(program)
                    program.close()

    def take(self) -> None:
        """The guest takes what came, and makes room for a little more."""
        count = len(self.guest.take())
        self.guest.give_buffers(min(count, self.chance.randrange(64)))

    def accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                program, _ = listener.accept()
                program.setblocking(False)
                self.programs.append(program)


@pytest.mark.parametrize("seed", range(3))
def test_any_packets_and_any_programs(guest: Guest, seed: int) -> None:
    crowd = Crowd(guest, seed)
    guest.give_buffers(40)
    with guest.host_listener() as listener:
        listener.setblocking(False)
        for _ in range(800):
            crowd.chance.choice([crowd.packet, crowd.packet, crowd.packet, crowd.dial, crowd.program, crowd.take])()
            crowd.accept(listener)
            guest.loop.step(0)
            check_bounds(guest)
    for program in crowd.programs:
        program.close()
    for _ in range(2000):
        crowd.take()
        guest.give_buffers(1)
        if not guest.events():
            break
    guest.settle()


def check_bounds(guest: Guest) -> None:
    streams = guest.device._streams.all()
    assert len(streams) <= 512
    assert all(len(stream._pending) <= BUFFER_BYTES for stream in streams)
    assert len(guest.device._outbox._waiting) <= 1024 + 4 * 512
    assert guest.device._starved <= set(streams)


@pytest.mark.parametrize("seed", range(40))
def test_any_descriptors_and_indexes(guest: Guest, seed: int) -> None:
    """Rings overwritten with good numbers, and sometimes with others."""
    chance = random.Random(seed)
    for entry in range(64):
        for queue in (0, 1):
            describe(guest, chance, queue, entry)
    with suppress(GuestFault):
        for _ in range(500):
            scribble(guest, chance)
            guest.device.serve(chance.randrange(2))
            guest.loop.step(0)
            check_bounds(guest)


def scribble(guest: Guest, chance: random.Random) -> None:
    queue, entry, octets = chance.randrange(2), chance.randrange(64), guest.memory.octets
    available = queue * QUEUE_BYTES + 0x4000
    match chance.randrange(3):
        case 0:
            describe(guest, chance, queue, entry, is_hostile=chance.random() < 0.01)
        case 1:
            head = 64 if chance.random() < 0.01 else entry
            struct.pack_into("<H", octets, available + 4 + 2 * chance.randrange(64), head)
        case 2:
            (index,) = struct.unpack_from("<H", octets, available + 2)
            struct.pack_into("<H", octets, available + 2, (index + chance.randrange(4)) % 0x10000)


def describe(guest: Guest, chance: random.Random, queue: int, entry: int, *, is_hostile: bool = False) -> None:
    """A packet, or room for one: a descriptor of its own."""
    offset = 0x300000 + (queue * 64 + entry) * 0x1000
    fields = (CID, PARENT, 1, 6000, 0, 1, chance.randrange(9), 3, chance.choice(NUMBERS), 0)
    guest.memory.octets[offset : offset + HEADER_BYTES] = Header(*fields).to_bytes()
    address, size, flags = GUEST_BASE + offset, HEADER_BYTES if queue else 100, 0 if queue else WRITE
    if is_hostile:
        address, size, flags = chance.choice(ADDRESSES), chance.choice(NUMBERS), chance.randrange(8)
    (guest.outgoing if queue else guest.incoming).describe(entry, address, size, flags, chance.randrange(64))


PAYLOADS = {
    Request.SET_FEATURES: "Q",
    Request.SET_PROTOCOL_FEATURES: "Q",
    Request.SET_MEM_TABLE: "IIQQQQ",
    Request.SET_VRING_NUM: "II",
    Request.SET_VRING_ADDR: "IIQQQQ",
    Request.SET_VRING_BASE: "II",
    Request.GET_VRING_BASE: "II",
    Request.SET_VRING_KICK: "Q",
    Request.SET_VRING_CALL: "Q",
    Request.SET_VRING_ERR: "Q",
    Request.SET_VRING_ENABLE: "II",
    Request.GET_CONFIG: "IIIQ",
}


@pytest.mark.parametrize("seed", range(60))
def test_any_messages_of_a_front_end(tmp_path: Path, memory: Memory, seed: int) -> None:
    chance, loop = random.Random(seed), Loop()
    connection, back = socket.socketpair()
    with ExitStack() as stack:
        stack.callback(loop.close)
        device = VsockDevice(tmp_path / "v", CID, loop)
        stack.callback(device.close)
        backend = Backend(device, back, loop)
        stack.callback(backend.close)
        stack.enter_context(connection)
        kick = os.eventfd(0)
        stack.callback(os.close, kick)
        with suppress(DeviceFault):
            for _ in range(300):
                say_anything(connection, chance, memory.fd, kick)
                loop.step(0.01)
                with suppress(BlockingIOError):
                    connection.recv(1 << 16, socket.MSG_DONTWAIT)


def say_anything(connection: socket.socket, chance: random.Random, fd: int, kick: int) -> None:
    """A message with a payload of its layout, and mostly with numbers that are good for something."""
    request = chance.choice([*Request, *PAYLOADS, *PAYLOADS])
    layout = PAYLOADS.get(request, "")
    values = [chance.choice([0, 1]) if kind == "I" else chance.choice(ADDRESSES) for kind in layout]
    if chance.random() < 0.9:
        values = likely(request, chance) or values
    files = {Request.SET_MEM_TABLE: [fd], Request.SET_VRING_KICK: [kick], Request.SET_VRING_CALL: [kick]}
    payload = struct.pack("<" + layout, *values)
    head = struct.pack("<III", request, chance.choice([1, 1, 1, 9]), len(payload))
    socket.send_fds(connection, [head + payload], files.get(request, []))


def likely(request: Request, chance: random.Random) -> list[int]:
    """Values that a good front end could have sent in some order; none where any are as good."""
    index = chance.randrange(2)
    match request:
        case Request.SET_FEATURES:
            return [FEATURES]
        case Request.SET_PROTOCOL_FEATURES:
            return [1 << 3 | 1 << 9]
        case Request.SET_MEM_TABLE:
            return [1, 0, GUEST_BASE, MEMORY_BYTES, USER_BASE, 0]
        case Request.SET_VRING_NUM:
            return [index, chance.choice([1, 64, 256])]
        case Request.SET_VRING_BASE:
            return [index, chance.choice([0, 0, 1, 0xFFFF, 0xFFFFFFFF])]
        case Request.SET_VRING_ADDR:
            at = USER_BASE + index * QUEUE_BYTES
            return [index, 0, at, at + 0x8000, at + 0x4000, 0]
        case Request.SET_VRING_KICK | Request.SET_VRING_CALL | Request.SET_VRING_ERR:
            return [index]
        case Request.GET_CONFIG:
            return [0, 8, 0, 0]
    return []
