"""A front end's whole conversation with a device, as QEMU 7.2 holds it, and what no front end may say."""

import gc
import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

import pytest

from strongroom.simulator.vhost import backend
from strongroom.simulator.vhost.backend import VERSION_1, Backend
from strongroom.simulator.vhost.errors import DeviceFault, ProtocolFault
from strongroom.simulator.vhost.loop import Loop
from strongroom.simulator.vhost.messages import Request
from strongroom.simulator.vhost.queue import Virtqueue
from tests.simulator.vhost.driver import Driver, Memory
from tests.simulator.vhost.front_end import FEATURES, FrontEnd, number, state


class Echo:
    """A device that writes back, in capitals, what it reads; remembers what is attached."""

    queue_count = 2
    configuration = struct.pack("<Q", 7)

    def __init__(self) -> None:
        self.queues: list[Virtqueue | None] = [None, None]
        self.more = False

    def attach(self, index: int, queue: Virtqueue | None) -> None:
        self.queues[index] = queue

    def serve(self, index: int) -> bool:
        queue = self.queues[index]
        assert queue is not None
        while chain := queue.pop():
            said = bytes(chain.readable[0]).upper()
            chain.writable[0][: len(said)] = said
            queue.push(chain, len(said))
        queue.signal()
        return self.more


class Conversation(FrontEnd):
    """With a device of this process, whose loop takes a step for each message."""

    def __init__(self, memory: Memory) -> None:
        self.device, self.loop = Echo(), Loop()
        connection, back = socket.socketpair()
        self.backend = Backend(self.device, back, self.loop)
        super().__init__(connection, memory, lambda: self.loop.step(1))

    def close(self) -> None:
        self.backend.close()
        self.loop.close()
        super().close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "_PATIENCE_S", 0.05)


@pytest.fixture
def front(memory: Memory) -> Iterator[Conversation]:
    front = Conversation(memory)
    front.connection.settimeout(5)
    yield front
    front.close()


def test_a_device_is_set_up_serves_and_stops(front: Conversation) -> None:
    assert front.ask(Request.GET_FEATURES) == number(FEATURES)
    assert front.ask(Request.GET_PROTOCOL_FEATURES) == number(1 << 3 | 1 << 9)
    front.say(Request.SET_PROTOCOL_FEATURES, number(1 << 3 | 1 << 9))
    front.say(Request.SET_OWNER)
    assert front.ask(Request.GET_CONFIG, struct.pack("<III", 0, 8, 0) + bytes(8))[12:] == front.device.configuration
    assert front.ask(Request.SET_FEATURES, number(FEATURES), flags=9) == number(0)
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
    assert front.ask(Request.GET_VRING_BASE, state(1, 0)) == state(1, 2)
    assert front.device.queues == [None, None]


def test_a_queue_goes_on_where_it_was_when_memory_changes(front: Conversation) -> None:
    driver = started(front)
    for text in (b"one", b"two"):
        driver.offer([text], [8])
        front.share_memory()
        assert [content for _, _, content in driver.used()] == [text.upper()]


def test_without_the_feature_a_queue_starts_enabled(front: Conversation) -> None:
    front.say(Request.SET_FEATURES, number(VERSION_1))
    front.share_memory()
    driver = Driver(front.memory)
    front.start(driver)
    assert front.device.queues[0] is not None


def test_a_disabled_queue_is_left_alone(front: Conversation) -> None:
    driver = started(front)
    front.say(Request.SET_VRING_ENABLE, state(0, 0))
    assert front.device.queues[0] is None
    driver.offer([b"kept"], [8])
    os.eventfd_write(front.kick, 1)
    front.loop.step(0)
    assert list(driver.used()) == []
    front.say(Request.SET_VRING_ENABLE, state(0, 1))
    assert [content for _, _, content in driver.used()] == [b"KEPT"]


def started(front: Conversation, index: int = 0) -> Driver:
    """A queue that runs."""
    front.say(Request.SET_FEATURES, number(FEATURES))
    front.share_memory()
    driver = Driver(front.memory, index=index)
    front.start(driver)
    return driver


def ready(file: int) -> bool:
    return bool(select.select([file], [], [], 0)[0])


def test_a_kick_is_heard_once(front: Conversation) -> None:
    started(front)
    os.eventfd_write(front.kick, 1)
    front.loop.step(1)
    assert not ready(front.kick)


def test_a_new_kick_takes_the_place_of_the_old_one(front: Conversation) -> None:
    driver, fresh = started(front), os.eventfd(0)
    front.say(Request.SET_VRING_KICK, number(0), (fresh,))
    driver.offer([b"x"], [8])
    os.eventfd_write(front.kick, 1)
    front.loop.step(0)
    assert list(driver.used()) == []
    os.eventfd_write(fresh, 1)
    front.loop.step(0)
    assert [content for _, _, content in driver.used()] == [b"X"]
    os.close(fresh)


def test_a_device_with_more_to_do_goes_on_behind_what_else_is_ready(front: Conversation) -> None:
    driver, front.device.more = started(front), True
    os.eventfd_write(front.kick, 1)
    for text in (b"one", b"two", b"three"):  # of which the guest's driver says nothing
        driver.offer([text], [8])
        front.loop.step(1)
        assert [content for _, _, content in driver.used()] == [text.upper()]
    assert front.ask(Request.GET_VRING_BASE, state(0, 0)) == state(0, 3)


def test_neither_kick_nor_call_is_ever_waited_for(front: Conversation) -> None:
    """Two queues with one kick: who comes second finds nothing; and a call whose number is as high as it goes."""
    driver, _ = started(front), started(front, index=1)
    assert not os.get_blocking(front.kick)
    assert not os.get_blocking(front.call)
    os.eventfd_write(front.call, (1 << 64) - 2)
    driver.offer([b"x"], [8])
    os.eventfd_write(front.kick, 1)
    front.loop.step(1)
    assert [content for _, _, content in driver.used()] == [b"X"]
    assert ready(front.call)


def open_files() -> int:
    gc.collect()  # each map of memory has a file of its own
    return len(os.listdir("/proc/self/fd"))


def test_what_came_from_the_front_end_is_closed_with_it(memory: Memory) -> None:
    before = open_files()
    front = Conversation(memory)
    for _ in range(2):
        started(front, index=1)
    front.say(Request.SET_VRING_ERR, number(1), (front.call,))
    front.close()
    assert front.device.queues == [None, None]
    del front
    assert open_files() == before


def test_a_device_without_configuration_offers_none(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Echo, "configuration", b"")
    front = Conversation(memory)
    assert front.ask(Request.GET_PROTOCOL_FEATURES) == number(1 << 3)
    front.close()


def test_the_loop_ends_with_the_front_end(front: Conversation) -> None:
    front.connection.close()
    front.loop.run()


STATE = state(2, 1)


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
def test_what_was_not_agreed_is_refused(front: Conversation, request_: Request, payload: bytes, expected: str) -> None:
    with pytest.raises(ProtocolFault, match=expected):
        front.say(request_, payload)


def test_a_queue_needs_memory_first(front: Conversation) -> None:
    with pytest.raises(DeviceFault, match="memory and addresses before"):
        front.start(Driver(front.memory))


def test_files_come_with_what_needs_them_alone(front: Conversation) -> None:
    before = open_files()
    with pytest.raises(ProtocolFault, match="GET_FEATURES: expected no file descriptor, got 1"):
        front.say(Request.GET_FEATURES, fds=(front.kick,))
    assert open_files() == before


def test_a_front_end_that_does_not_wait_for_its_answer(front: Conversation) -> None:
    front.connection.sendall(struct.pack("<III", Request.GET_FEATURES, 1, 0))
    front.connection.close()
    front.loop.run()  # comes to its end


def test_a_front_end_that_leaves_its_answer_unread(front: Conversation) -> None:
    front.say(Request.GET_FEATURES)
    front.connection.close()
    front.loop.run()  # comes to its end


@contextmanager
def hanging_up(front: Conversation) -> Iterator[None]:
    """In the end, so that a device that waits for it is an error and not a test that waits, too."""
    timer = Timer(5, front.connection.shutdown, [socket.SHUT_RDWR])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


@pytest.mark.parametrize("part", [struct.pack("<II", Request.SET_FEATURES, 1), struct.pack("<III", 2, 1, 8) + b"1234"])
def test_half_a_message_is_not_waited_for_without_end(memory: Memory, part: bytes, impatient: None) -> None:
    front = Conversation(memory)
    front.connection.sendall(part)
    with pytest.raises(TimeoutError), hanging_up(front):
        front.loop.step(1)
    front.close()


def test_nor_is_a_front_end_that_does_not_read(memory: Memory, impatient: None) -> None:
    front = Conversation(memory)
    front.backend._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

    def ask_without_end() -> None:
        while True:
            front.say(Request.GET_FEATURES)

    with pytest.raises(TimeoutError), hanging_up(front):
        ask_without_end()
    front.close()
