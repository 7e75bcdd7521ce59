"""The first process of an image says one byte and gets it back."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.simulator.qemu.heartbeat import PORT, Heartbeat
from strongroom.transport.addresses import VsockUnixAddress
from strongroom.transport.sockets import dial


@pytest.fixture
def heartbeat(tmp_path: Path) -> Iterator[Heartbeat]:
    heartbeat = Heartbeat(VsockUnixAddress(tmp_path / "v", PORT))
    yield heartbeat
    heartbeat.close()


@pytest.fixture
def init(heartbeat: Heartbeat, tmp_path: Path) -> Iterator[socket.socket]:
    with dial(VsockUnixAddress(tmp_path / "v", PORT).host_port, 5) as connection:
        yield connection


def test_the_byte_comes_back(heartbeat: Heartbeat, init: socket.socket) -> None:
    assert not heartbeat.came.is_set()
    init.sendall(b"\xb7")
    assert init.recv(1) == b"\xb7"
    assert heartbeat.came.wait(5)


@pytest.mark.parametrize("said", [b"\xb6", b""])
def test_anything_else_is_no_heartbeat(heartbeat: Heartbeat, init: socket.socket, tmp_path: Path, said: bytes) -> None:
    init.sendall(said)
    init.shutdown(socket.SHUT_WR)
    assert init.recv(1) == b""
    assert not heartbeat.came.is_set()
    with dial(VsockUnixAddress(tmp_path / "v", PORT).host_port, 5) as another:
        another.sendall(b"\xb7")
        assert another.recv(1) == b"\xb7"
