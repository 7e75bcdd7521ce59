"""A front end's whole conversation with a device, as QEMU 7.2 holds it, and what no front end may say."""

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from strongroom.simulator.vhost.backend import VERSION_1, Backend
from strongroom.simulator.vhost.errors import DeviceFault, ProtocolFault
from strongroom.simulator.vhost.loop import Loop
from strongroom.simulator.vhost.messages import Request
from strongroom.simulator.vhost.queue import Virtqueue
from tests.simulator.vhost.driver import GUEST_BASE, MEMORY_BYTES, USER_BASE, Driver, Memory

_PROTOCOL_FEATURES = 1 << 30


class Echo:
    """A device that writes back, in capitals, what it reads; remembers what is attached."""

    queue_count = 2
    configuration = struct.pack("<Q", 7)

    def __init__(self) -> None:
        self.queues: list[Virtqueue | None] = [None, None]

    def attach(self, index: int, queue: Virtqueue | None) -> None:
        self.queues[index] = queue

    def serve(self, index: int) -> None:
        queue = self.queues[index]
        assert queue is not None
        while chain := queue.pop():
            said = bytes(chain.readable[0]).upper()
            chain.writable[0][: len(said)] = said
            queue.push(chain, len(said))
        queue.signal()


class FrontEnd:
    """Says what a test wants said, and lets the device's loop take a step."""

    def __init__(self, memory: Memory) -> None:
        self.memory, self.device, self.loop = memory, Echo(), Loop()
        self.connection, back = socket.socketpair()
        self.backend = Backend(self.device, back, self.loop)
        self.kick, self.call = os.eventfd(0), os.eventfd(0, os.EFD_NONBLOCK)

    def say(self, request: int, payload: bytes = b"", fds: tuple[int, ...] = (), flags: int = 1) -> None:
        socket.send_fds(self.connection, [struct.pack("<III", request, flags, len(payload)) + payload], list(fds))
        self.loop.step(1)

    def ask(self, request: Request, payload: bytes = b"", flags: int = 1) -> bytes:
        self.say(request, payload, flags=flags)
        answer = self.connection.recv(1024, socket.MSG_DONTWAIT)
        number, said_flags, size = struct.unpack_from("<III", answer)
        assert (number, said_flags, size) == (request, 5, len(answer) - 12)
        return answer[12:]

    def share_memory(self) -> None:
        region = struct.pack("<QQQQ", GUEST_BASE, MEMORY_BYTES, USER_BASE, 0)
        self.say(Request.SET_MEM_TABLE, struct.pack("<II", 1, 0) + region, (self.memory.fd,))

    def start(self, driver: Driver) -> None:
        index, rings = driver.index, driver.addresses
        self.say(Request.SET_VRING_NUM, struct.pack("<II", index, driver.size))
        self.say(Request.SET_VRING_BASE, struct.pack("<II", index, 0))
        addresses = (rings.descriptors, rings.used, rings.available, 0)
        self.say(Request.SET_VRING_ADDR, struct.pack("<IIQQQQ", index, 0, *addresses))
        self.say(Request.SET_VRING_CALL, struct.pack("<Q", index), (self.call,))
        self.say(Request.SET_VRING_KICK, struct.pack("<Q", index), (self.kick,))
        self.say(Request.SET_VRING_ENABLE, struct.pack("<II", index, 1))

    def close(self) -> None:
        self.backend.close()
        self.loop.close()
        self.connection.close()
        os.close(self.kick)
        os.close(self.call)


@pytest.fixture
def front(memory: Memory) -> Iterator[FrontEnd]:
    front = FrontEnd(memory)
    yield front
    front.close()


def number(value: int) -> bytes:
    return struct.pack("<Q", value)


def test_a_device_is_set_up_serves_and_stops(front: FrontEnd) -> None:
    features = VERSION_1 | _PROTOCOL_FEATURES
    assert front.ask(Request.GET_FEATURES) == number(features)
    assert front.ask(Request.GET_PROTOCOL_FEATURES) == number(1 << 3 | 1 << 9)
    front.say(Request.SET_PROTOCOL_FEATURES, number(1 << 3 | 1 << 9))
    front.say(Request.SET_OWNER)
    assert front.ask(Request.GET_CONFIG, struct.pack("<III", 0, 8, 0) + bytes(8))[12:] == front.device.configuration
    assert front.ask(Request.SET_FEATURES, number(features), flags=9) == number(0)
    front.share_memory()
    driver = Driver(front.memory, index=1)
    early = driver.offer([b"early"], [8])
    front.start(driver)
    assert list(driver.used()) == [(early, 5, b"EARLY")]
    late = driver.offer([b"late"], [8])
    os.eventfd_write(front.kick, 1)
    front.loop.step(1)
    assert list(driver.used()) == [(late, 4, b"LATE")]
    assert os.eventfd_read(front.call) == 2
    assert front.ask(Request.GET_VRING_BASE, struct.pack("<II", 1, 0)) == struct.pack("<II", 1, 2)
    assert front.device.queues == [None, None]


def test_a_queue_goes_on_where_it_was_when_memory_changes(front: FrontEnd) -> None:
    front.say(Request.SET_FEATURES, number(VERSION_1 | _PROTOCOL_FEATURES))
    front.share_memory()
    driver = Driver(front.memory)
    front.start(driver)
    for text in (b"one", b"two"):
        driver.offer([text], [8])
        front.share_memory()
        assert [content for _, _, content in driver.used()] == [text.upper()]


def test_without_the_feature_a_queue_starts_enabled(front: FrontEnd) -> None:
    front.say(Request.SET_FEATURES, number(VERSION_1))
    front.share_memory()
    driver = Driver(front.memory)
    front.start(driver)
    assert front.device.queues[0] is not None


def test_a_disabled_queue_is_left_alone(front: FrontEnd) -> None:
    front.say(Request.SET_FEATURES, number(VERSION_1 | _PROTOCOL_FEATURES))
    front.share_memory()
    driver = Driver(front.memory)
    front.start(driver)
    front.say(Request.SET_VRING_ENABLE, struct.pack("<II", 0, 0))
    assert front.device.queues[0] is None
    driver.offer([b"kept"], [8])
    os.eventfd_write(front.kick, 1)
    front.loop.step(0)
    assert list(driver.used()) == []
    front.say(Request.SET_VRING_ENABLE, struct.pack("<II", 0, 1))
    assert [content for _, _, content in driver.used()] == [b"KEPT"]


def test_the_loop_ends_with_the_front_end(front: FrontEnd) -> None:
    front.connection.close()
    front.loop.run()


STATE = struct.pack("<II", 2, 1)


@pytest.mark.parametrize(
    ("request_", "payload", "expected"),
    [
        (Request.SET_FEATURES, number(1 << 28), "features that were offered, got 0x10000000"),
        (Request.SET_PROTOCOL_FEATURES, number(1 << 5), "protocol features that were offered, got 0x20"),
        (Request.SET_VRING_NUM, STATE, "a queue below 2, got 2"),
        (Request.SET_VRING_BASE, STATE, "a queue below 2, got 2"),
        (Request.SET_VRING_ENABLE, STATE, "a queue below 2, got 2"),
        (Request.GET_VRING_BASE, STATE, "a queue below 2, got 2"),
        (Request.SET_VRING_KICK, number(0x100), "a file to wait on"),
        (Request.GET_CONFIG, struct.pack("<III", 1, 8, 0) + bytes(8), "inside the configuration"),
        (Request.SET_CONFIG, struct.pack("<III", 0, 8, 0) + bytes(8), "only read"),
    ],
)
def test_what_was_not_agreed_is_refused(front: FrontEnd, request_: Request, payload: bytes, expected: str) -> None:
    with pytest.raises(ProtocolFault, match=expected):
        front.say(request_, payload)


def test_a_queue_needs_memory_first(front: FrontEnd) -> None:
    with pytest.raises(DeviceFault, match="memory and addresses before"):
        front.start(Driver(front.memory))


def test_files_come_with_what_needs_them_alone(front: FrontEnd) -> None:
    with pytest.raises(ProtocolFault, match="GET_FEATURES: expected no file descriptor, got 1"):
        front.say(Request.GET_FEATURES, fds=(front.kick,))


def test_a_front_end_that_does_not_wait_for_its_answer(front: FrontEnd) -> None:
    front.connection.sendall(struct.pack("<III", Request.GET_FEATURES, 1, 0))
    front.connection.close()
    front.loop.run()  # comes to its end
