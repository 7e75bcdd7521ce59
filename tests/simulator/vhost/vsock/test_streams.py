"""Bytes in both directions: exact, within each side's credit, to the end that each side says."""

import hashlib
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from strongroom.simulator.vhost.vsock.credit import BUFFER_BYTES, Credit
from strongroom.simulator.vhost.vsock.packets import HEADER_BYTES, Operation, Shutdown
from tests.simulator.vhost.vsock.guest import BUFFER_BYTES as ROOM_BYTES
from tests.simulator.vhost.vsock.guest import Guest

BOTH = Shutdown.SEND | Shutdown.RECEIVE


def drained(program: socket.socket) -> int:
    """Read all that is there now."""
    got = 0
    program.setblocking(False)
    try:
        while piece := program.recv(1 << 20):
            got += len(piece)
    except BlockingIOError:
        pass
    program.settimeout(5)
    return got


def test_bytes_in_both_directions(guest: Guest, program: socket.socket) -> None:
    guest.say(Operation.RW, content=b"question")
    assert program.recv(64) == b"question"
    program.sendall(b"answer")
    packet = guest.expect(Operation.RW)
    assert (packet.content, packet.header.length, packet.header.forwarded) == (b"answer", 6, 8)


def test_64_mib_from_the_guest_are_exact(guest: Guest, program: socket.socket) -> None:
    program.setblocking(False)
    sent, got = hashlib.sha256(), hashlib.sha256()
    piece = bytes(range(256)) * 256
    credit = Credit(peer_buffer_bytes=BUFFER_BYTES)
    for _ in range((64 << 20) // len(piece)):
        assert credit.may_send() >= len(piece)
        guest.say(Operation.RW, content=piece)
        credit.sent += len(piece)
        sent.update(piece)
        while program_bytes := _ready(program):
            got.update(program_bytes)
            guest.settle()
        guest.received += guest.take()
        for packet in guest.received:
            assert packet.operation is Operation.CREDIT_UPDATE
            credit.learn(packet.header.buffer_bytes, packet.header.forwarded)
            guest.give_buffers()
        guest.received.clear()
    assert got.digest() == sent.digest()


def _ready(program: socket.socket) -> bytes:
    try:
        return program.recv(1 << 20)
    except BlockingIOError:
        return b""


def test_64_mib_to_the_guest_are_exact(guest: Guest, program: socket.socket) -> None:
    program.setblocking(False)
    guest.give_buffers(32)
    content = hashlib.shake_128(b"seed").digest(1 << 20) * 64
    got, left = hashlib.sha256(), memoryview(content)
    size = 0
    while size < len(content):
        left = left[_sent(program, left) :]
        guest.loop.step(0)
        for packet in guest.take():
            assert packet.operation is Operation.RW
            got.update(packet.content)
            size += len(packet.content)
            guest.incoming.offer((), [ROOM_BYTES])
        guest.forwarded = size % (1 << 32)
        guest.say(Operation.CREDIT_UPDATE)
        guest.device.serve(0)
    assert got.digest() == hashlib.sha256(content).digest()


def _sent(program: socket.socket, content: memoryview) -> int:
    try:
        return program.send(content) if content else 0
    except BlockingIOError:
        return 0


def test_a_program_that_does_not_read_holds_the_guest_back(guest: Guest, program: socket.socket) -> None:
    """What the host's socket takes counts as passed on; behind it no more is kept than was announced."""
    piece, sent = bytes(64 << 10), 0
    credit = Credit(peer_buffer_bytes=BUFFER_BYTES)
    while credit.may_send() >= len(piece):
        guest.say(Operation.RW, content=piece)
        credit.sent, sent = credit.sent + len(piece), sent + len(piece)
        guest.settle()
        for packet in guest.received:
            credit.learn(packet.header.buffer_bytes, packet.header.forwarded)
            guest.give_buffers()
        guest.received.clear()
        assert sent < 16 * BUFFER_BYTES
    assert drained(program) < sent
    guest.settle()
    assert guest.expect(Operation.CREDIT_UPDATE).header.forwarded > 0
    while drained(program):
        guest.settle()
    guest.say(Operation.CREDIT_REQUEST)
    guest.received = guest.received[-1:]
    assert guest.expect(Operation.CREDIT_UPDATE).header.forwarded == sent


def test_all_of_the_credit_is_good_and_no_byte_more(guest: Guest, program: socket.socket) -> None:
    content = filled(guest, program)
    guest.say(Operation.RW)
    guest.settle()
    assert guest.received == []
    guest.say(Operation.RW, content=b"x")
    guest.expect(Operation.RST)
    assert content.startswith(taken(program))


def filled(guest: Guest, program: socket.socket, held_bytes: int = BUFFER_BYTES) -> bytes:
    """Send, to a program that does not read, what its socket takes, and as much behind it for the device to hold."""
    piece, sent, forwarded = 32 << 10, 0, 0
    content = hashlib.shake_128(b"filled").digest(4 << 20)
    while room := min(piece, held_bytes - (sent - forwarded)):
        guest.say(Operation.RW, content=content[sent : sent + room])
        sent += room
        guest.say(Operation.CREDIT_REQUEST)
        guest.received += guest.take()
        forwarded = guest.received[-1].header.forwarded
        guest.give_buffers(len(guest.received))
        guest.received.clear()
    return content[:sent]


def taken(program: socket.socket) -> bytes:
    """All that the program reads to the end."""
    return b"".join(iter(lambda: program.recv(1 << 20), b""))


def test_bytes_keep_their_order_behind_those_that_wait(guest: Guest, program: socket.socket) -> None:
    """The program has made room, and the device has not yet heard of it, when the guest sends on."""
    content = filled(guest, program, held_bytes=BUFFER_BYTES // 2)
    got = bytearray(program.recv(1 << 20))
    guest.say(Operation.RW, content=b"behind")
    guest.say(Operation.SHUTDOWN, flags=Shutdown.SEND)
    while piece := program.recv(1 << 20):
        got += piece
        guest.settle()
    assert got == content + b"behind"


def shut_down(program: socket.socket) -> None:
    program.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("end", [socket.socket.close, shut_down])
def test_a_program_that_goes_away_with_bytes_unread(
    guest: Guest, program: socket.socket, end: Callable[[socket.socket], None]
) -> None:
    """Also one that keeps its socket, where the bytes lie on; of its end a guest without room hears later."""
    guest.room_bytes = 0
    filled(guest, program)
    end(program)
    guest.settle()
    assert [(packet.operation, packet.header.flags) for packet in guest.received] == [
        (Operation.SHUTDOWN, Shutdown.RECEIVE)
    ]
    guest.room_bytes = 100
    guest.received.clear()
    guest.give_buffers(2)
    guest.say(Operation.CREDIT_UPDATE)
    guest.expect(Operation.SHUTDOWN)
    guest.expect(Operation.RST)


def test_a_stream_that_ends_while_it_waits_for_buffers(guest: Guest, program: socket.socket) -> None:
    program.sendall(bytes(16 * ROOM_BYTES))
    guest.settle()
    guest.say(Operation.SHUTDOWN, flags=BOTH)
    guest.received.clear()
    guest.give_buffers(2)
    guest.expect(Operation.RST)
    guest.settle()
    assert guest.received == []


def test_the_hosts_end_takes_one_buffer(guest: Guest, program: socket.socket) -> None:
    for number in range(5):  # of eight buffers the RESPONSE took one
        program.sendall(b"%d" % number)
        guest.expect(Operation.RW)
    program.shutdown(socket.SHUT_WR)
    guest.expect(Operation.SHUTDOWN)
    guest.say(Operation.CREDIT_REQUEST)
    guest.expect(Operation.CREDIT_UPDATE)


def test_no_byte_goes_to_a_guest_without_credit(guest: Guest, program: socket.socket) -> None:
    guest.room_bytes = 10
    guest.say(Operation.CREDIT_UPDATE)
    program.sendall(b"0123456789abcdef")
    assert guest.expect(Operation.RW).content == b"0123456789"
    guest.settle()
    assert guest.received == []
    guest.forwarded = 4
    guest.say(Operation.CREDIT_UPDATE)
    assert guest.expect(Operation.RW).content == b"abcd"


@pytest.mark.parametrize("forwarded", [1 << 31, 0xFFFFFFFF, 7])
def test_a_guest_that_claims_too_much_gets_nothing(guest: Guest, program: socket.socket, forwarded: int) -> None:
    guest.room_bytes, guest.forwarded = 5, forwarded
    guest.say(Operation.CREDIT_UPDATE)
    program.sendall(b"0123456789")
    guest.settle()
    assert sum(len(packet.content) for packet in guest.received) <= 5


def test_without_buffers_the_host_waits(guest: Guest, program: socket.socket) -> None:
    program.sendall(bytes(16 * ROOM_BYTES))
    guest.settle()
    got = len(guest.received)
    assert got == 7  # the eighth buffer took the RESPONSE
    guest.settle()
    assert len(guest.received) == got
    guest.give_buffers(2)
    guest.step_until(lambda: len(guest.received) == got + 2)
    assert all(len(packet.content) == ROOM_BYTES - HEADER_BYTES for packet in guest.received)


def test_the_guest_ends_first(guest: Guest, program: socket.socket) -> None:
    guest.say(Operation.RW, content=b"all")
    guest.say(Operation.SHUTDOWN, flags=Shutdown.SEND)
    assert (program.recv(64), program.recv(64)) == (b"all", b"")
    program.sendall(b"still")
    assert guest.expect(Operation.RW).content == b"still"
    program.close()
    assert guest.expect(Operation.SHUTDOWN).header.flags == Shutdown.SEND
    guest.expect(Operation.RST)


def test_the_host_ends_first(guest: Guest, program: socket.socket) -> None:
    program.sendall(b"all")
    program.shutdown(socket.SHUT_WR)
    assert guest.expect(Operation.RW).content == b"all"
    assert guest.expect(Operation.SHUTDOWN).header.flags == Shutdown.SEND
    guest.say(Operation.RW, content=b"still")
    assert program.recv(64) == b"still"
    guest.say(Operation.SHUTDOWN, flags=BOTH)
    guest.expect(Operation.RST)
    assert program.recv(64) == b""


def test_the_guests_end_waits_for_its_bytes(guest: Guest, program: socket.socket) -> None:
    size, piece = 0, bytes(32 << 10)
    for _ in range(BUFFER_BYTES // len(piece)):
        guest.say(Operation.RW, content=piece)
        size += len(piece)
    guest.say(Operation.SHUTDOWN, flags=BOTH)
    got = 0
    while got < size:
        got += len(program.recv(1 << 20))
        guest.settle()
    assert program.recv(1) == b""
    assert guest.received[-1].operation is Operation.RST


def test_a_guest_that_takes_no_more_is_told_no_more(guest: Guest, program: socket.socket) -> None:
    guest.say(Operation.SHUTDOWN, flags=Shutdown.RECEIVE)
    with pytest.raises(BrokenPipeError):
        program.sendall(b"in vain")
    guest.say(Operation.RW, content=b"heard")
    assert program.recv(64) == b"heard"


def test_a_reset_of_the_guest_ends_the_stream(guest: Guest, program: socket.socket) -> None:
    guest.say(Operation.RW, content=b"last")
    guest.say(Operation.RST)
    assert (program.recv(64), program.recv(64)) == (b"last", b"")


def test_a_program_that_went_away(guest: Guest, program: socket.socket) -> None:
    """Its last words reach the guest, though the guest writes to nobody."""
    program.sendall(b"last words")
    program.close()
    guest.say(Operation.RW, content=b"to nobody")
    guest.say(Operation.RW, content=b"to nobody")
    guest.settle()
    assert [packet.operation for packet in guest.received] == [
        Operation.SHUTDOWN,
        Operation.RW,
        Operation.SHUTDOWN,
        Operation.RST,
    ]
    assert guest.received[0].header.flags == Shutdown.RECEIVE
    assert guest.received[1].content == b"last words"


@pytest.mark.parametrize("operation", [0, 8, Operation.REQUEST, Operation.RESPONSE])
def test_what_does_not_fit_an_open_stream_is_a_reset(guest: Guest, program: socket.socket, operation: int) -> None:
    guest.say(operation)
    guest.expect(Operation.RST)
    assert program.recv(64) == b""


@pytest.mark.parametrize("kind", [0, 2])
def test_another_kind_of_packet_on_a_stream_is_a_reset(guest: Guest, program: socket.socket, kind: int) -> None:
    guest.say(Operation.RW, kind=kind, content=b"x")
    guest.expect(Operation.RST)
    assert program.recv(64) == b""


def test_many_streams_keep_their_bytes_apart(guest: Guest) -> None:
    guest.give_buffers(60)
    with guest.host_listener() as listener, ExitStack() as stack:
        programs = {}
        for port in range(1, 21):
            guest.say(Operation.REQUEST, guest=port)
            guest.expect(Operation.RESPONSE)
            programs[port] = stack.enter_context(listener.accept()[0])
        for port, program in programs.items():
            program.sendall(b"to %d" % port)
            guest.say(Operation.RW, guest=port, content=b"from %d" % port)
        guest.settle()
        assert {port: program.recv(64) for port, program in programs.items()} == {
            port: b"from %d" % port for port in programs
        }
    said = {packet.header.destination_port: packet.content for packet in guest.received if packet.content}
    assert said == {port: b"to %d" % port for port in programs}


def test_streams_end_with_the_guests_queues(guest: Guest, program: socket.socket) -> None:
    guest.device.attach(1, None)
    assert program.recv(64) == b""


def test_what_waits_for_the_guest_goes_with_its_queues(guest: Guest) -> None:
    guest.say(Operation.CREDIT_REQUEST)
    guest.device.attach(0, None)
    guest.device.attach(0, guest.incoming.queue())
    guest.give_buffers()
    guest.settle()
    assert guest.received == []


def test_one_program_does_not_hold_the_device(guest: Guest, program: socket.socket) -> None:
    guest.give_buffers(40, HEADER_BYTES + 1)
    guest.give_buffers(7)  # of the first eight one took the RESPONSE
    program.sendall(bytes(7 * ROOM_BYTES))
    guest.loop.step(1)
    assert len(guest.take()) == 32


def test_no_buffer_of_the_guest_is_lost(guest: Guest, program: socket.socket) -> None:
    """To find that the host has no more to say takes a buffer, which serves for the next words."""
    for number in range(7):  # of eight buffers the RESPONSE took one
        program.sendall(b"%d" % number)
        assert guest.expect(Operation.RW).content == b"%d" % number
