"""A guest for each test, and a program of the host that it has dialled."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator.vhost.driver import Memory
from tests.simulator.vhost.vsock.guest import Guest


@pytest.fixture
def guest(tmp_path: Path, memory: Memory) -> Iterator[Guest]:
    guest = Guest(tmp_path, memory)
    yield guest
    guest.close()


@pytest.fixture
def program(guest: Guest) -> Iterator[socket.socket]:
    """The host's end of a stream that the guest opened, from port 5000 to 6000."""
    guest.give_buffers(8)
    with guest.host_listener() as listener, guest.accepted(listener) as connection:
        yield connection
