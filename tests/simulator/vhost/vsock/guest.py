"""A guest's vsock driver without a guest, on both queues of a device that runs in this process."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.simulator.vhost.loop import Loop
from strongroom.simulator.vhost.vsock.device import VsockDevice
from strongroom.simulator.vhost.vsock.packets import HEADER_BYTES, STREAM, Header, Operation
from strongroom.transport.addresses import UnixAddress
from strongroom.transport.sockets import listen
from tests.simulator.vhost.driver import Driver, Memory

CID, PARENT = 16, 3
BUFFER_BYTES = 4096
_PATIENCE_S = 5.0


@dataclass
class Packet:
    """A packet to the guest."""

    header: Header
    content: bytes

    @property
    def operation(self) -> Operation:
        return Operation(self.header.operation)


@dataclass
class Guest:
    """Says packets, takes packets; `room_bytes` is the buffer that it tells of."""

    folder: Path
    memory: Memory
    room_bytes: int = 64 << 10
    forwarded: int = 0
    received: list[Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop = Loop()
        self.device = VsockDevice(self.path, CID, self.loop)
        self.incoming, self.outgoing = Driver(self.memory, 0), Driver(self.memory, 1)
        self.device.attach(0, self.incoming.queue())
        self.device.attach(1, self.outgoing.queue())

    @property
    def path(self) -> Path:
        return self.folder / "v"

    def close(self) -> None:
        self.device.close()
        self.loop.close()

    def give_buffers(self, count: int = 1, size: int = BUFFER_BYTES) -> None:
        """Make room for that many packets."""
        for _ in range(count):
            self.incoming.offer((), [size])
        self.device.serve(0)

    def say(self, operation: int, *, guest: int = 5000, host: int = 6000, content: bytes = b"", **other: int) -> None:
        """Send one packet: header and content in buffers of their own, as Linux does."""
        fields: dict[str, int] = {
            "source_cid": CID,
            "destination_cid": PARENT,
            "source_port": guest,
            "destination_port": host,
            "length": len(content),
            "kind": STREAM,
            "operation": operation,
            "flags": 0,
            "buffer_bytes": self.room_bytes,
            "forwarded": self.forwarded,
            **other,
        }
        header = Header(**fields).to_bytes()
        self.outgoing.offer([header, content] if content else [header])
        self.device.serve(1)
        list(self.outgoing.used())

    def take(self) -> list[Packet]:
        """What has come since the last time."""
        return [
            Packet(Header.from_bytes(content[:HEADER_BYTES]), content[HEADER_BYTES:])
            for _, _, content in self.incoming.used()
        ]

    def step_until(self, holds: Callable[[], bool]) -> None:
        """Let the device work until something holds."""
        deadline = time.monotonic() + _PATIENCE_S
        self.received += self.take()
        while not holds():
            assert time.monotonic() < deadline, "expected it to hold by now"
            self.loop.step(0.01)
            self.received += self.take()

    def settle(self) -> None:
        """Let the device do all that it can do now; it must come to rest."""
        for _ in range(200):
            before = len(self.received), self.events()
            self.received += self.take()
            if before == (len(self.received), 0):
                return
        raise AssertionError("expected the device to come to rest")

    def events(self) -> int:
        """One round of the loop; how many files were ready."""
        ready = self.loop._poll.poll(0)
        self.loop.step(0)
        return len(ready)

    def expect(self, operation: Operation) -> Packet:
        """The next packet, which is of that kind."""
        self.step_until(lambda: bool(self.received))
        packet = self.received.pop(0)
        assert packet.operation is operation, packet
        return packet

    def host_listener(self, port: int = 6000) -> socket.socket:
        """A program of the host that the guest may dial."""
        return listen(UnixAddress(Path(f"{self.path}_{port}")))

    def accepted(self, listener: socket.socket) -> socket.socket:
        """Dial it: the program's end, with the guest's RESPONSE taken."""
        self.say(Operation.REQUEST)
        self.expect(Operation.RESPONSE)
        connection = listener.accept()[0]
        connection.settimeout(_PATIENCE_S)
        return connection

    def dialled(self, port: int) -> socket.socket:
        """A program of the host that names a port of the guest."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_PATIENCE_S)
        connection.connect(str(self.path))
        connection.sendall(b"CONNECT %d\n" % port)
        return connection
