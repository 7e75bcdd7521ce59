"""A front end without a QEMU: vhost-user as it is spoken to a device, in this process or in another."""

import os
import socket
import struct
from collections.abc import Callable

from strongroom.simulator.vhost.backend import VERSION_1
from strongroom.simulator.vhost.messages import Request
from tests.simulator.vhost.driver import GUEST_BASE, MEMORY_BYTES, USER_BASE, Driver, Memory

PROTOCOL_FEATURES = 1 << 30
FEATURES = VERSION_1 | PROTOCOL_FEATURES
REGION = (GUEST_BASE, MEMORY_BYTES, USER_BASE, 0)


def number(value: int) -> bytes:
    return struct.pack("<Q", value)


def state(index: int, value: int) -> bytes:
    return struct.pack("<II", index, value)


class FrontEnd:
    """Says what a test wants said; `served` lets a device of this process hear it."""

    def __init__(self, connection: socket.socket, memory: Memory, served: Callable[[], None]) -> None:
        self.connection, self.memory, self._served = connection, memory, served
        self.kick, self.call = os.eventfd(0), os.eventfd(0, os.EFD_NONBLOCK)

    def say(self, request: int, payload: bytes = b"", fds: tuple[int, ...] = (), flags: int = 1) -> None:
        socket.send_fds(self.connection, [struct.pack("<III", request, flags, len(payload)) + payload], list(fds))
        self._served()

    def ask(self, request: Request, payload: bytes = b"", flags: int = 1) -> bytes:
        self.say(request, payload, flags=flags)
        answer = self.connection.recv(1024)
        number, said_flags, size = struct.unpack_from("<III", answer)
        assert (number, said_flags, size) == (request, 5, len(answer) - 12)
        return answer[12:]

    def share_memory(self, *regions: tuple[int, int, int, int]) -> None:
        """Regions of the one file, each as guest address, size, front end address and offset."""
        table = [struct.pack("<QQQQ", *region) for region in regions or (REGION,)]
        self.say(Request.SET_MEM_TABLE, state(len(table), 0) + b"".join(table), (self.memory.fd,) * len(table))

    def start(self, driver: Driver) -> None:
        """Describe a queue of that driver, and enable it."""
        index, rings = driver.index, driver.addresses
        self.say(Request.SET_VRING_NUM, state(index, driver.size))
        self.say(Request.SET_VRING_BASE, state(index, 0))
        addresses = (rings.descriptors, rings.used, rings.available, 0)
        self.say(Request.SET_VRING_ADDR, struct.pack("<IIQQQQ", index, 0, *addresses))
        self.say(Request.SET_VRING_CALL, number(index), (self.call,))
        self.say(Request.SET_VRING_KICK, number(index), (self.kick,))
        self.say(Request.SET_VRING_ENABLE, state(index, 1))

    def close(self) -> None:
        """Close what is the front end's."""
        self.connection.close()
        os.close(self.kick)
        os.close(self.call)
