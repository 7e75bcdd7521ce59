"""Rings as drivers fill them, and as no driver may."""

import pytest

from strongroom.simulator.vhost.errors import DeviceFault, GuestFault, ProtocolFault
from strongroom.simulator.vhost.messages import RingAddresses
from strongroom.simulator.vhost.queue import Virtqueue
from tests.simulator.vhost.driver import GUEST_BASE, INDIRECT, MEMORY_BYTES, NEXT, USER_BASE, WRITE, Driver, Memory


def test_a_chain_is_read_written_and_given_back(memory: Memory) -> None:
    driver = Driver(memory)
    queue = driver.queue()
    assert queue.pop() is None
    head = driver.offer([b"ab", b"c"], [2, 4])
    chain = queue.pop()
    assert chain is not None
    assert [bytes(piece) for piece in chain.readable] == [b"ab", b"c"]
    chain.writable[0][:] = b"xy"
    queue.push(chain, 2)
    assert list(driver.used()) == [(head, 2, b"xy")]
    assert queue.pop() is None


def test_the_indexes_wrap(memory: Memory) -> None:
    driver = Driver(memory, size=4)
    queue = driver.queue()
    for number in range(70_000):
        head = driver.offer([b"x"])
        chain = queue.pop()
        assert chain is not None
        queue.push(chain, 0)
        assert list(driver.used()) == [(head, 0, b"")], number
    assert queue.base == 70_000 % 0x10000


def test_a_chain_that_was_put_back_comes_again(memory: Memory) -> None:
    driver = Driver(memory)
    queue = driver.queue()
    head = driver.offer([b"x"])
    for _ in range(driver.size + 1):  # nor does it count against what the device holds
        queue.pop()
        queue.put_back()
    assert queue.base == 0
    again = queue.pop()
    assert again is not None
    assert again.head == head


def test_the_guest_is_interrupted_once_for_all_that_came_back(memory: Memory) -> None:
    driver = Driver(memory)
    queue = driver.queue()
    queue.signal()
    assert driver.signals == 0
    for _ in range(3):
        driver.offer([b"x"])
        chain = queue.pop()
        assert chain is not None
        queue.push(chain, 0)
    queue.signal()
    queue.signal()
    assert driver.signals == 1


@pytest.mark.parametrize(
    ("descriptors", "expected"),
    [
        ([(GUEST_BASE, 1, NEXT, 0)], "a loop"),
        ([(GUEST_BASE, 1, NEXT, 1), (GUEST_BASE, 1, NEXT, 0)], "a loop"),
        ([(GUEST_BASE, 1, NEXT, 1), (GUEST_BASE, 1, NEXT | WRITE, 1)], "a loop"),
        ([(GUEST_BASE, 1, NEXT, 64)], "at most 64 descriptors"),
        ([(GUEST_BASE, 1, NEXT, 0xFFFF)], "at most 64 descriptors"),
        ([(0, 1, 0, 0)], "inside one region"),
        ([(GUEST_BASE, MEMORY_BYTES + 1, 0, 0)], "inside one region"),
        ([(GUEST_BASE + MEMORY_BYTES - 1, 0xFFFFFFFF, WRITE, 0)], "inside one region"),
        ([((1 << 64) - 1, 2, 0, 0)], "inside one region"),
        ([(GUEST_BASE, 16, INDIRECT, 0)], "plain descriptors"),
        ([(GUEST_BASE, 16, 8, 0)], "plain descriptors"),
        ([(GUEST_BASE, 1, WRITE | NEXT, 1), (GUEST_BASE, 1, 0, 0)], "readable descriptors before"),
    ],
)
def test_hostile_descriptors_end_the_device(
    memory: Memory, descriptors: list[tuple[int, int, int, int]], expected: str
) -> None:
    driver = Driver(memory)
    queue = driver.queue()
    for index, (address, size, flags, following) in enumerate(descriptors):
        driver.describe(index, address, size, flags, following)
    driver.make_available(0)
    with pytest.raises(GuestFault, match=expected):
        queue.pop()


def test_a_chain_may_take_the_whole_table(memory: Memory) -> None:
    driver = Driver(memory)
    driver.offer([b"x"] * 63, [1])
    chain = driver.queue().pop()
    assert chain is not None
    assert (len(chain.readable), len(chain.writable)) == (63, 1)


def test_buffers_may_be_empty(memory: Memory) -> None:
    driver = Driver(memory)
    driver.offer([b"", b"x"], [0])
    chain = driver.queue().pop()
    assert chain is not None
    assert ([bytes(piece) for piece in chain.readable], [len(piece) for piece in chain.writable]) == ([b"", b"x"], [0])


def test_a_queue_goes_on_where_both_rings_say(memory: Memory) -> None:
    """What the device took and did not give back before lies between the two."""
    driver = Driver(memory)
    first = driver.queue()
    for text in (b"kept", b"late"):
        driver.offer([text])
    first.pop()
    again = Virtqueue(memory.mapped, driver.size, driver.addresses, first.base, lambda: None)
    chain = again.pop()
    assert chain is not None
    assert bytes(chain.readable[0]) == b"late"
    again.push(chain, 0)
    assert [head for head, _, _ in driver.used()] == [chain.head]


def test_a_head_outside_the_table_ends_the_device(memory: Memory) -> None:
    driver = Driver(memory)
    driver.make_available(64)
    with pytest.raises(GuestFault, match="at most 64 descriptors"):
        driver.queue().pop()


def test_more_chains_than_the_ring_holds_end_the_device(memory: Memory) -> None:
    driver = Driver(memory)
    driver.set_available(65)
    with pytest.raises(GuestFault, match="at most 64 available chains, got 65"):
        driver.queue().pop()


@pytest.mark.parametrize("size", [0, 3, 2048])
def test_a_queue_has_a_sensible_size(memory: Memory, size: int) -> None:
    with pytest.raises(ProtocolFault, match="power of two"):
        Virtqueue(memory.mapped, size, Driver(memory).addresses, 0, lambda: None)


@pytest.mark.parametrize(
    "addresses",
    [
        RingAddresses(0, USER_BASE - 16, USER_BASE + 0x8000, USER_BASE + 0x4000),
        RingAddresses(0, USER_BASE, USER_BASE + MEMORY_BYTES - 4, USER_BASE + 0x4000),
        RingAddresses(0, USER_BASE, USER_BASE + 0x8000, USER_BASE + MEMORY_BYTES - 4),
        RingAddresses(0, USER_BASE, USER_BASE + 0x8002, USER_BASE + 0x4000),
        RingAddresses(0, USER_BASE, USER_BASE + 0x8000, (1 << 64) - 2),
        RingAddresses(0, USER_BASE, USER_BASE + 0x8000, USER_BASE + 0x4001),
    ],
    ids=["descriptors", "used", "available", "used-odd", "past-the-end", "available-odd"],
)
def test_rings_lie_in_memory(memory: Memory, addresses: RingAddresses) -> None:
    with pytest.raises(DeviceFault, match=r"inside one region|aligned"):
        Virtqueue(memory.mapped, 64, addresses, 0, lambda: None)


def test_what_is_not_given_back_cannot_be_offered_again(memory: Memory) -> None:
    """A queue of 64 holds 64 chains; else a device that waits for a second one would collect them without end."""
    driver = Driver(memory)
    queue = driver.queue()
    head = driver.offer([b"x"])
    for _ in range(63):
        queue.pop()
        driver.make_available(head)
    chain = queue.pop()
    assert chain is not None
    driver.make_available(head)
    with pytest.raises(GuestFault, match="at most 64 chains that are not given back"):
        queue.pop()
    queue.push(chain, 0)
    assert queue.pop() is not None
