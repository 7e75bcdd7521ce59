"""A request and the room for its answer are two buffers, and come back in that order."""

from collections.abc import Sequence

import cbor2
import pytest

from strongroom.simulator.vhost.errors import GuestFault
from strongroom.simulator.vhost.nsm.device import NSMDevice
from tests.simulator.helpers import software_nsm
from tests.simulator.vhost.driver import Driver, Memory

ROOM_BYTES = 0x3000
Buffers = tuple[Sequence[bytes], Sequence[int]]


@pytest.fixture
def driver(memory: Memory) -> Driver:
    return Driver(memory)


@pytest.fixture
def device(driver: Driver) -> NSMDevice:
    device = NSMDevice(software_nsm())
    device.attach(0, driver.queue())
    return device


def test_an_answer_lies_in_the_second_buffer(driver: Driver, device: NSMDevice) -> None:
    request, room = driver.offer([cbor2.dumps("GetRandom")]), driver.offer((), [ROOM_BYTES])
    device.serve(0)
    (first, nothing, _), (second, written, content) = driver.used()
    assert (first, nothing, second, written) == (request, 0, room, len(content))
    assert len(cbor2.loads(content)["GetRandom"]["random"]) == 256
    assert driver.signals == 1


def test_a_request_waits_for_its_room(driver: Driver, device: NSMDevice) -> None:
    driver.offer([cbor2.dumps("DescribeNSM")])
    device.serve(0)
    assert list(driver.used()) == []
    driver.offer((), [ROOM_BYTES])
    device.serve(0)
    assert len(list(driver.used())) == 2


def said(driver: Driver, device: NSMDevice, request: bytes, room_bytes: int) -> bytes:
    driver.offer([request])
    driver.offer((), [room_bytes])
    device.serve(0)
    return list(driver.used())[1][2]


def test_bounds_of_either_buffer(driver: Driver, device: NSMDevice) -> None:
    assert cbor2.loads(said(driver, device, bytes(0x1001), ROOM_BYTES)) == {"Error": "InputTooLarge"}
    assert cbor2.loads(said(driver, device, cbor2.dumps("GetRandom"), 100)) == {"Error": "BufferTooSmall"}
    assert len(said(driver, device, cbor2.dumps("GetRandom"), 3)) == 3


def test_one_chain_with_both_ends_the_device(driver: Driver, device: NSMDevice) -> None:
    driver.offer([cbor2.dumps("GetRandom")], [ROOM_BYTES])
    with pytest.raises(GuestFault, match="got both or none"):
        device.serve(0)


REQUEST, ROOM = ([cbor2.dumps("GetRandom")], ()), ((), [ROOM_BYTES])


@pytest.mark.parametrize(("before", "after"), [(REQUEST, ROOM), (ROOM, REQUEST)], ids=["request", "room"])
def test_what_waited_goes_with_its_queue(
    driver: Driver, device: NSMDevice, memory: Memory, before: Buffers, after: Buffers
) -> None:
    driver.offer(*before)
    device.serve(0)
    device.attach(0, None)
    other = Driver(memory, index=1)
    device.attach(0, other.queue())
    other.offer(*after)
    device.serve(0)
    assert list(other.used()) == []


def test_requests_without_a_room_end_the_device(driver: Driver, device: NSMDevice) -> None:
    head = driver.offer([cbor2.dumps("GetRandom")])
    for _ in range(63):
        driver.make_available(head)
    device.serve(0)
    driver.make_available(head)
    with pytest.raises(GuestFault, match="not given back"):
        device.serve(0)


def test_a_turn_is_bounded(memory: Memory) -> None:
    driver, device = Driver(memory, size=128), NSMDevice(software_nsm())
    device.attach(0, driver.queue())
    for _ in range(33):
        driver.offer([b"?"])
        driver.offer((), [64])
    assert device.serve(0)
    assert len(list(driver.used())) == 64
    assert not device.serve(0)
    assert len(list(driver.used())) == 2
