"""The back end of one device: it serves one front end (QEMU) on a UNIX socket until that one is gone."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from strongroom.simulator.vhost import messages
from strongroom.simulator.vhost.errors import ProtocolFault
from strongroom.simulator.vhost.loop import READ, Loop
from strongroom.simulator.vhost.memory import GuestMemory
from strongroom.simulator.vhost.messages import Message, Request
from strongroom.simulator.vhost.queue import Virtqueue
from strongroom.simulator.vhost.rings import Ring

VERSION_1 = 1 << 32
_PROTOCOL_FEATURES = 1 << 30
_OFFER = VERSION_1 | _PROTOCOL_FEATURES
_REPLY_ACK, _CONFIG = 1 << 3, 1 << 9
_PATIENCE_S = 10.0
"""For the rest of a message, and for a front end that does not read its answers."""
_WITH_FILES = frozenset({Request.SET_MEM_TABLE, Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR})


class Device(Protocol):
    """What a device brings: its size, and what it does with its queues."""

    queue_count: int
    configuration: bytes
    """The configuration space, empty where the device has none."""

    def attach(self, index: int, queue: Virtqueue | None) -> None:
        """Queue `index` starts, or ends (None): nothing of the one before may be touched again."""

    def serve(self, index: int) -> bool:
        """The driver made chains of queue `index` available; whether that was a whole turn, and there may be more.

        Raises GuestFault.
        """


class Backend:
    """One front end's connection and its device. Raises ProtocolFault, GuestFault and OSError out of the loop."""

    def __init__(self, device: Device, connection: socket.socket, loop: Loop) -> None:
        connection.settimeout(_PATIENCE_S)
        self._device, self._connection, self._loop = device, connection, loop
        self._memory: GuestMemory | None = None
        self._rings = [Ring() for _ in range(device.queue_count)]
        self._features = 0
        self._protocol_offer = _REPLY_ACK | (_CONFIG if device.configuration else 0)
        self._answers: dict[Request, Callable[[Message], bytes | None]] = {
            Request.GET_FEATURES: lambda _: messages.number_payload(_OFFER),
            Request.SET_FEATURES: self._set_features,
            Request.GET_PROTOCOL_FEATURES: lambda _: messages.number_payload(self._protocol_offer),
            Request.SET_PROTOCOL_FEATURES: self._set_protocol_features,
            Request.SET_OWNER: lambda _: None,
            Request.RESET_OWNER: lambda _: None,
            Request.SET_MEM_TABLE: self._set_memory,
            Request.SET_VRING_NUM: self._set_size,
            Request.SET_VRING_BASE: self._set_base,
            Request.SET_VRING_ADDR: self._set_addresses,
            Request.GET_VRING_BASE: self._stop_ring,
            Request.SET_VRING_KICK: self._set_kick,
            Request.SET_VRING_CALL: self._set_call,
            Request.SET_VRING_ERR: self._set_error_file,
            Request.SET_VRING_ENABLE: self._enable,
            Request.GET_CONFIG: self._configuration,
            Request.SET_CONFIG: self._refuse_configuration,
        }
        loop.watch(connection.fileno(), READ, lambda _: self._receive())

    def close(self) -> None:
        """End every queue and close what came from the front end."""
        for index in range(len(self._rings)):
            self._end(index)
            self._rings[index].replace_call(None)
        self._loop.forget(self._connection.fileno())
        self._connection.close()

    def _receive(self) -> None:
        try:
            message = Message.receive(self._connection)
        except ConnectionError:
            message = None
        if message is None:
            self._loop.stop()
            return
        if message.fds and message.request not in _WITH_FILES:
            messages.close_all(message.fds)
            raise ProtocolFault(
                f"vhost-user: {message.request.name}: expected no file descriptor, got {len(message.fds)}"
            )
        answer = self._answers[message.request](message)
        if answer is None and message.needs_reply:
            answer = messages.number_payload(0)
        if answer is not None:
            with suppress(ConnectionError):  # it is gone, and the next message says so
                self._connection.sendall(message.reply(answer))

    def _set_features(self, message: Message) -> None:
        self._features = message.number()
        if unknown := self._features & ~_OFFER:
            raise ProtocolFault(f"vhost-user: expected features that were offered, got {unknown:#x} as well")

    def _set_protocol_features(self, message: Message) -> None:
        if unknown := message.number() & ~self._protocol_offer:
            raise ProtocolFault(f"vhost-user: expected protocol features that were offered, got {unknown:#x} as well")

    def _set_memory(self, message: Message) -> None:
        try:
            self._memory = GuestMemory(message.regions(), message.fds)
        finally:
            messages.close_all(message.fds)
        for index in range(len(self._rings)):
            self._pause(index)
            self._start(index)

    def _set_size(self, message: Message) -> None:
        index, size = message.ring_state()
        self._ring(index).size = size

    def _set_base(self, message: Message) -> None:
        index, base = message.ring_state()
        self._ring(index).base = base

    def _set_addresses(self, message: Message) -> None:
        addresses = message.ring_addresses()
        self._ring(addresses.index).addresses = addresses

    def _set_kick(self, message: Message) -> None:
        index, fd = message.ring_file()
        ring = self._ring(index)
        if fd is None:
            raise ProtocolFault("vhost-user: expected a file to wait on, got a queue to be polled")
        self._end(index)
        ring.replace_kick(fd)
        # Without the negotiated feature a queue is enabled from its start.
        ring.enabled = ring.enabled or not self._features & _PROTOCOL_FEATURES
        self._start(index)

    def _set_call(self, message: Message) -> None:
        index, fd = message.ring_file()
        self._ring(index).replace_call(fd)

    def _set_error_file(self, message: Message) -> None:
        messages.close_all(message.fds)  # a device in error ends: there is nobody who would write to it

    def _enable(self, message: Message) -> None:
        index, enabled = message.ring_state()
        self._ring(index).enabled = bool(enabled)
        self._pause(index)
        self._start(index)

    def _stop_ring(self, message: Message) -> bytes:
        index, _ = message.ring_state()
        self._ring(index)
        return messages.ring_state_payload(index, self._end(index))

    def _configuration(self, message: Message) -> bytes:
        offset, size = message.configuration_range()
        if offset + size > len(self._device.configuration):
            raise ProtocolFault(f"vhost-user: expected a range inside the configuration, got {offset} + {size}")
        return messages.configuration_payload(offset, self._device.configuration[offset : offset + size])

    def _refuse_configuration(self, message: Message) -> None:
        raise ProtocolFault("vhost-user: expected a configuration that is only read, got a write")

    def _ring(self, index: int) -> Ring:
        if index >= len(self._rings):
            raise ProtocolFault(f"vhost-user: expected a queue below {len(self._rings)}, got {index}")
        return self._rings[index]

    def _start(self, index: int) -> None:
        ring = self._rings[index]
        if ring.kick is None or not ring.enabled:
            return
        if self._memory is None or ring.addresses is None:
            raise ProtocolFault("vhost-user: expected memory and addresses before a queue starts, got none")
        self._device.attach(index, ring.start(self._memory, ring.addresses))
        self._loop.watch(ring.kick, READ, lambda _: self._kicked(index))
        self._serve(index)  # what was made available before the file was here

    def _kicked(self, index: int) -> None:
        self._rings[index].kicked()
        self._serve(index)

    def _serve(self, index: int) -> None:
        if self._device.serve(index):
            self._rings[index].kick_again()

    def _pause(self, index: int) -> None:
        ring = self._rings[index]
        if ring.kick is not None:
            self._loop.forget(ring.kick)
        if ring.pause():
            self._device.attach(index, None)

    def _end(self, index: int) -> int:
        self._pause(index)
        self._rings[index].replace_kick(None)
        return self._rings[index].base
