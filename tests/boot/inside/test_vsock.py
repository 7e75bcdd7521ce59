"""vsock addresses of strongroom.transport on a real AF_VSOCK: virtio's driver, and its loopback for the own CID."""

import asyncio
import errno
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from strongroom.transport.addresses import PARENT_CID, VsockAddress, listen_any
from strongroom.transport.sockets import connect, dial, listen
from tests.boot.inside import CID

PORT, NOBODY = 5005, 5006
LOCAL_CID, UNUSED_CID = 1, 77
MESSAGE = bytes(range(256)) * 4096


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen(listen_any(PORT)) as listening:
        yield listening


@pytest.fixture
def echo(listener: socket.socket) -> Iterator[None]:
    """One connection's bytes go back to it, up to its end."""

    def serve() -> None:
        with listener.accept()[0] as connection:
            while piece := connection.recv(1 << 16):
                connection.sendall(piece)

    thread = threading.Thread(target=serve, daemon=True)  # which waits for ever where nobody dialled
    thread.start()
    yield
    thread.join(10)


def say(connection: socket.socket) -> None:
    """More than either side keeps for the other."""
    connection.sendall(MESSAGE)
    connection.shutdown(socket.SHUT_WR)


def answered(connection: socket.socket) -> bytes:
    """What comes back until the peer ends."""
    received = bytearray()
    while piece := connection.recv(1 << 16):
        received += piece
    return bytes(received)


@pytest.mark.usefixtures("echo")
@pytest.mark.parametrize("cid", [CID, LOCAL_CID])
def test_a_dialled_port_gets_and_gives_bytes(cid: int) -> None:
    with dial(VsockAddress(cid, PORT), 10) as connection:
        assert connection.getpeername() == (cid, PORT)
        writer = threading.Thread(target=say, args=(connection,))
        writer.start()
        assert answered(connection) == MESSAGE
        writer.join()


@pytest.mark.usefixtures("echo")
async def test_a_connected_port_gets_and_gives_bytes() -> None:
    reader, writer = await asyncio.open_connection(sock=await connect(VsockAddress(CID, PORT), 10))
    writer.write(MESSAGE)
    writer.write_eof()
    assert await reader.read() == MESSAGE
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "address", [VsockAddress(CID, NOBODY), VsockAddress(UNUSED_CID, PORT), VsockAddress(PARENT_CID, NOBODY)], ids=str
)
async def test_where_nobody_is_it_is_said_at_once(address: VsockAddress) -> None:
    began = time.monotonic()
    with pytest.raises(ConnectionResetError):
        dial(address, 10)
    with pytest.raises(ConnectionResetError):
        await connect(address, 10)
    assert time.monotonic() - began < 1


def test_a_port_has_one_listener(listener: socket.socket) -> None:
    with pytest.raises(OSError, match="in use") as refused:
        listen(listen_any(PORT))
    assert refused.value.errno == errno.EADDRINUSE


def test_a_peer_that_says_nothing_is_waited_for_no_longer_than_told(listener: socket.socket) -> None:
    with dial(VsockAddress(CID, PORT), 0.3) as connection:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert 0.2 < time.monotonic() - began < 2


@pytest.mark.usefixtures("listener")
async def test_a_port_that_is_free_again_can_be_taken() -> None:
    (await connect(VsockAddress(CID, PORT), 5)).close()
