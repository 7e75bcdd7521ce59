"""What a front end says, taken apart strictly; files that came with a refused message are closed."""

import os
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from strongroom.simulator.vhost.errors import ProtocolFault
from strongroom.simulator.vhost.messages import Message, RegionLayout, Request, RingAddresses

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    front, back = socket.socketpair()
    with front, back:
        back.settimeout(2)
        yield front, back


def said(request: int, payload: bytes = b"", flags: int = 1, size: int | None = None) -> bytes:
    return struct.pack("<III", request, flags, len(payload) if size is None else size) + payload


def test_a_request_and_its_answer(ends: Ends) -> None:
    front, back = ends
    front.sendall(said(Request.GET_CONFIG, struct.pack("<III", 0, 4, 0) + bytes(4), flags=9))
    message = Message.receive(back)
    assert message is not None
    assert (message.request, message.needs_reply, message.fds) == (Request.GET_CONFIG, True, ())
    assert message.configuration_range() == (0, 4)
    assert message.reply(b"ab") == struct.pack("<III", 24, 5, 2) + b"ab"


def test_the_end_is_no_message(ends: Ends) -> None:
    front, back = ends
    front.close()
    assert Message.receive(back) is None


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (said(1, flags=0), "a request of version 1"),
        (said(1, flags=2), "a request of version 1"),
        (said(1, flags=5), "a request of version 1"),
        (said(0), "got number 0"),
        (said(6), "got number 6"),
        (said(99), "got number 99"),
        (said(1, size=1025), "at most 1024 bytes, got 1025"),
        (said(1, size=0xFFFFFFFF), "at most 1024 bytes"),
        (said(1)[:7], "expected 5 bytes, got 0 and the end"),
        (said(2, b"1234", size=8), "expected 8 bytes, got 4 and the end"),
    ],
)
def test_what_is_no_request_is_refused(ends: Ends, octets: bytes, expected: str) -> None:
    front, back = ends
    front.sendall(octets)
    front.shutdown(socket.SHUT_WR)
    with pytest.raises(ProtocolFault, match=expected):
        Message.receive(back)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(("count", "octets"), [(9, said(5)), (3, said(99))], ids=["too-many", "refused"])
def test_files_of_a_refused_message_are_closed(ends: Ends, count: int, octets: bytes) -> None:
    front, back = ends
    before = open_files()
    with open(os.devnull, "rb") as nothing:
        socket.send_fds(front, [octets], [nothing.fileno()] * count)
    with pytest.raises(ProtocolFault):
        Message.receive(back)
    assert open_files() == before


READERS: list[tuple[Callable[[Message], object], int]] = [
    (Message.number, 8),
    (Message.ring_state, 8),
    (Message.ring_addresses, 40),
    (Message.ring_file, 8),
]


@pytest.mark.parametrize(("read", "size"), READERS, ids=["number", "state", "addresses", "file"])
@pytest.mark.parametrize("off", [-1, 1])
def test_payloads_have_one_size(read: Callable[[Message], object], size: int, off: int) -> None:
    with pytest.raises(ProtocolFault, match=f"expected {size} bytes, got {size + off}"):
        read(Message(Request.SET_FEATURES, False, bytes(size + off)))


def test_ring_addresses_in_their_order() -> None:
    payload = struct.pack("<IIQQQQ", 1, 0, 0x10, 0x20, 0x30, 0x40)
    message = Message(Request.SET_VRING_ADDR, False, payload)
    assert message.ring_addresses() == RingAddresses(1, descriptors=0x10, used=0x20, available=0x30)


def test_a_ring_with_a_log_is_refused() -> None:
    with pytest.raises(ProtocolFault, match="without a log"):
        Message(Request.SET_VRING_ADDR, False, struct.pack("<IIQQQQ", 0, 1, 0, 0, 0, 0)).ring_addresses()


@pytest.mark.parametrize(("number", "fds"), [(0, ()), (0, (1, 2)), (0x100, (1,))])
def test_a_ring_comes_with_as_many_files_as_it_says(number: int, fds: tuple[int, ...]) -> None:
    with pytest.raises(ProtocolFault, match="file descriptors"):
        Message(Request.SET_VRING_KICK, False, struct.pack("<Q", number), fds).ring_file()


@pytest.mark.parametrize(("number", "fds", "expected"), [(3, (7,), (3, 7)), (0x1FF, (), (0xFF, None))])
def test_a_ring_and_its_file(number: int, fds: tuple[int, ...], expected: tuple[int, int | None]) -> None:
    assert Message(Request.SET_VRING_KICK, False, struct.pack("<Q", number), fds).ring_file() == expected


def table(count: int, regions: int) -> bytes:
    return struct.pack("<II", count, 0) + struct.pack("<QQQQ", 1, 2, 3, 4) * regions


def test_a_memory_table() -> None:
    message = Message(Request.SET_MEM_TABLE, False, table(2, 2), (7, 8))
    assert message.regions() == (RegionLayout(1, 2, 3, 4),) * 2


@pytest.mark.parametrize(
    ("payload", "files"),
    [(b"", 0), (table(0, 0), 0), (table(2, 1), 2), (table(1, 2), 1), (table(2, 2), 1), (table(9, 9), 9)],
    ids=["nothing", "none", "short", "long", "files", "many"],
)
def test_another_memory_table_is_refused(payload: bytes, files: int) -> None:
    with pytest.raises(ProtocolFault, match="1 to 8 regions"):
        Message(Request.SET_MEM_TABLE, False, payload, tuple(range(files))).regions()


@pytest.mark.parametrize("payload", [b"", bytes(11), struct.pack("<III", 0, 4, 0), struct.pack("<III", 0, 0, 0) + b"x"])
def test_another_configuration_range_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolFault, match="configuration"):
        Message(Request.GET_CONFIG, False, payload).configuration_range()
