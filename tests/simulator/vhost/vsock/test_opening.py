"""Streams that the guest opens, and that programs of the host open by Firecracker's line."""

import socket
from contextlib import ExitStack
from typing import Any

import pytest

from strongroom.simulator.vhost.errors import GuestFault
from strongroom.simulator.vhost.messages import RingAddresses
from strongroom.simulator.vhost.queue import Virtqueue
from strongroom.simulator.vhost.vsock.credit import BUFFER_BYTES
from strongroom.simulator.vhost.vsock.packets import STREAM, Header, Operation, Shutdown
from tests.simulator.vhost.vsock.guest import CID, PARENT, Guest


@pytest.mark.parametrize("cid", [2, 3])
def test_the_guest_reaches_a_program_of_the_host(guest: Guest, cid: int) -> None:
    guest.give_buffers(2)
    with guest.host_listener() as listener:
        guest.say(Operation.REQUEST, destination_cid=cid)
        header = guest.expect(Operation.RESPONSE).header
        listener.accept()[0].close()
    assert (header.source_cid, header.destination_cid) == (cid, CID)
    assert (header.source_port, header.destination_port) == (6000, 5000)
    assert (header.buffer_bytes, header.forwarded) == (BUFFER_BYTES, 0)


def test_the_answer_comes_before_the_bytes(guest: Guest) -> None:
    """The program speaks before the guest has made room for either, and the device hears of the room after it."""
    with guest.host_listener() as listener:
        guest.say(Operation.REQUEST)
        with listener.accept()[0] as program:
            program.sendall(b"hello")
            for _ in range(2):
                guest.incoming.offer((), [100])
            guest.loop.step(1)
            guest.device.serve(0)
            guest.expect(Operation.RESPONSE)
            assert guest.expect(Operation.RW).content == b"hello"


def test_a_stream_after_another(guest: Guest) -> None:
    """Its socket has the number that the other one's had."""
    guest.give_buffers(8)
    with guest.host_listener() as listener:
        for text in (b"one", b"two"):
            with guest.accepted(listener) as program:
                program.sendall(text)
                assert guest.expect(Operation.RW).content == text
                guest.say(Operation.RST)
                guest.expect(Operation.RST)


def test_nobody_there_is_a_reset(guest: Guest) -> None:
    guest.give_buffers()
    guest.say(Operation.REQUEST)
    header = guest.expect(Operation.RST).header
    assert (header.source_cid, header.source_port, header.destination_port) == (PARENT, 6000, 5000)


@pytest.mark.parametrize("wrong", [{"destination_cid": 4}, {"destination_cid": 1 << 40}, {"kind": 2}, {"kind": 0}])
def test_another_destination_or_kind_is_a_reset(guest: Guest, wrong: dict[str, Any]) -> None:
    guest.give_buffers()
    with guest.host_listener():
        guest.say(Operation.REQUEST, **wrong)
        assert guest.expect(Operation.RST).header.kind == wrong.get("kind", STREAM)


@pytest.mark.parametrize("operation", [op for op in Operation if op not in (Operation.REQUEST, Operation.RST)])
def test_packets_without_a_stream_are_reset(guest: Guest, operation: Operation) -> None:
    guest.give_buffers()
    guest.say(operation)
    guest.expect(Operation.RST)


def test_a_reset_without_a_stream_has_no_answer(guest: Guest) -> None:
    guest.give_buffers()
    guest.say(Operation.RST)
    guest.settle()
    assert guest.received == []


def test_a_program_reaches_a_port_of_the_guest(guest: Guest) -> None:
    guest.give_buffers(4)
    with guest.dialled(7003) as program:
        program.sendall(b"said at once")
        request = guest.expect(Operation.REQUEST).header
        assert (request.source_cid, request.destination_port) == (PARENT, 7003)
        guest.say(Operation.RESPONSE, guest=7003, host=request.source_port)
        assert program.recv(64) == b"OK %d\n" % request.source_port
        assert guest.expect(Operation.RW).content == b"said at once"


def test_a_program_gets_a_port_of_its_own(guest: Guest) -> None:
    """Though the guest has dialled from that port the one that would have been next."""
    first = 1 << 30
    guest.give_buffers(2)
    with guest.host_listener(first):
        guest.say(Operation.REQUEST, guest=7003, host=first)
        guest.expect(Operation.RESPONSE)
        with guest.dialled(7003):
            assert guest.expect(Operation.REQUEST).header.source_port == first + 1


def test_a_port_where_nobody_listens_is_closed_without_a_word(guest: Guest) -> None:
    guest.give_buffers(2)
    with guest.dialled(7003) as program:
        request = guest.expect(Operation.REQUEST).header
        guest.say(Operation.RST, guest=7003, host=request.source_port)
        assert program.recv(64) == b""
    guest.settle()
    assert guest.received == []


def test_a_program_that_does_not_wait_takes_its_request_back(guest: Guest) -> None:
    guest.give_buffers(2)
    program = guest.dialled(7003)
    guest.expect(Operation.REQUEST)
    program.close()
    guest.expect(Operation.RST)


def test_an_answer_that_is_none_is_a_reset(guest: Guest) -> None:
    guest.give_buffers(2)
    with guest.dialled(7003) as program:
        request = guest.expect(Operation.REQUEST).header
        guest.say(Operation.RW, guest=7003, host=request.source_port, content=b"x")
        guest.expect(Operation.RST)
        assert program.recv(64) == b""


def test_without_a_guest_there_is_nobody_to_reach(guest: Guest) -> None:
    guest.device.attach(0, None)
    with guest.dialled(7003) as program:
        guest.settle()
        assert program.recv(64) == b""


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"CONNECT\n",
        b"CONNECT x\n",
        b"CONNECT -1\n",
        b"CONNECT 4294967295\n",
        b"connect 1\n",
        b"CONNECT 1 \n",
        b"C" * 99,
    ],
)
def test_another_greeting_is_closed(guest: Guest, line: bytes) -> None:
    guest.give_buffers()
    with socket.socket(socket.AF_UNIX) as program:
        program.connect(str(guest.path))
        program.sendall(line)
        program.settimeout(5)
        guest.settle()
        with ExitStack() as stack:
            if len(line) > 32:  # closed with bytes unread
                stack.enter_context(pytest.raises(ConnectionResetError))
            assert program.recv(64) == b""
    assert guest.received == []


def test_the_last_port_of_all_can_be_named(guest: Guest) -> None:
    guest.give_buffers()
    with guest.dialled(0xFFFFFFFE):
        assert guest.expect(Operation.REQUEST).header.destination_port == 0xFFFFFFFE


def test_a_greeting_may_come_in_pieces(guest: Guest) -> None:
    guest.give_buffers()
    with socket.socket(socket.AF_UNIX) as program:
        program.connect(str(guest.path))
        for octet in b"CONNECT 7003\n":
            program.send(bytes([octet]))
            guest.settle()
        guest.expect(Operation.REQUEST)


def test_of_many_silent_programs_the_oldest_goes(guest: Guest) -> None:
    guest.give_buffers()
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(65)]
        for program in silent:
            program.connect(str(guest.path))
            guest.settle()
        silent[0].settimeout(5)
        assert silent[0].recv(1) == b""
        silent[-1].sendall(b"CONNECT 7003\n")
        guest.expect(Operation.REQUEST)


def test_the_number_of_streams_is_bounded(guest: Guest) -> None:
    with guest.host_listener() as listener, ExitStack() as stack:
        for port in range(512):
            guest.give_buffers()
            guest.say(Operation.REQUEST, guest=port)
            guest.expect(Operation.RESPONSE)
            stack.enter_context(listener.accept()[0])
        guest.give_buffers(2)
        guest.say(Operation.REQUEST, guest=9999)
        guest.expect(Operation.RST)
        with guest.dialled(7003) as program:
            guest.settle()
            assert program.recv(1) == b""
        guest.say(Operation.SHUTDOWN, guest=0, flags=Shutdown.SEND | Shutdown.RECEIVE)
        guest.expect(Operation.RST)
        guest.give_buffers()
        guest.say(Operation.REQUEST, guest=9999)
        guest.expect(Operation.RESPONSE)


def test_answers_without_end_are_not_kept_without_end(guest: Guest) -> None:
    """Without buffers of the guest, packets that would need an answer are left in the guest's own queue."""
    assert stray_packets(guest, rounds=16) == 1024
    assert stray_packets(guest, rounds=1) == 0
    guest.give_buffers(64)
    assert list(guest.outgoing.used())


def test_a_guest_that_takes_nothing_cannot_be_reached(guest: Guest) -> None:
    stray_packets(guest, rounds=16)
    with guest.dialled(7003) as program:
        guest.settle()
        assert program.recv(1) == b""


def stray_packets(guest: Guest, rounds: int) -> int:
    """Rings full of packets to no stream, each of which wants an answer; how many the device takes."""
    header, took = Header(CID, PARENT, 1, 2, 0, STREAM, Operation.CREDIT_REQUEST, 0, 0, 0).to_bytes(), 0
    for _ in range(rounds):
        for _ in range(64):
            guest.outgoing.offer([header])
        guest.device.serve(1)
        took += len(list(guest.outgoing.used()))
    return took


def test_a_guest_that_refills_its_ring_without_end_does_not_hold_the_device(guest: Guest) -> None:
    """Here without any work of its own: the ring where it gets packets back is the one where it offers them."""
    guest.outgoing.offer([Header(CID, PARENT, 1, 2, 0, STREAM, Operation.RST, 0, 0, 0).to_bytes()])
    rings = guest.outgoing.addresses
    overlaid = RingAddresses(1, rings.descriptors, used=rings.available, available=rings.available)
    guest.device.attach(1, Virtqueue(guest.memory.mapped, 64, overlaid, 0, lambda: None))
    guest.give_buffers()
    with guest.dialled(7003):
        for _ in range(100):
            assert guest.device.serve(1)
        guest.expect(Operation.REQUEST)


@pytest.mark.parametrize("wrong", [{"length": 5}, {"length": 0xFFFFFFFF}, {"source_cid": CID + 1}])
def test_a_packet_that_lies_about_itself_ends_the_device(guest: Guest, wrong: dict[str, Any]) -> None:
    with pytest.raises(GuestFault, match="readable bytes of guest 16"):
        guest.say(Operation.RW, content=b"four", **wrong)


def test_a_packet_with_room_to_write_ends_the_device(guest: Guest) -> None:
    guest.outgoing.offer([Header(CID, PARENT, 1, 2, 0, STREAM, Operation.RST, 0, 0, 0).to_bytes()], [8])
    with pytest.raises(GuestFault, match="expected 0 readable bytes"):
        guest.device.serve(1)


def test_half_a_header_ends_the_device(guest: Guest) -> None:
    guest.outgoing.offer([bytes(43)])
    with pytest.raises(GuestFault, match="a header of 44 bytes, got 43"):
        guest.device.serve(1)


@pytest.mark.parametrize(("readable", "size"), [([], 43), ([], 44), ([b"x"], 100)])
def test_a_buffer_without_room_ends_the_device(guest: Guest, readable: list[bytes], size: int) -> None:
    guest.incoming.offer(readable, [size])
    with pytest.raises(GuestFault, match="more than 44 bytes"):
        guest.say(Operation.REQUEST)
