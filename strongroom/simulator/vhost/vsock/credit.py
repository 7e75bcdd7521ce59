"""How much either side of one stream may still send (virtio 1.2, section 5.10.6.3). Counters wrap at 2^32."""

from dataclasses import dataclass

BUFFER_BYTES = 256 << 10
"""What this side keeps of one stream for a host program that does not read."""
_WRAP = 1 << 32


@dataclass
class Credit:
    """The counters of one stream: bytes from the guest, and bytes to it."""

    received: int = 0
    forwarded: int = 0
    announced: int = 0
    sent: int = 0
    peer_buffer_bytes: int = 0
    peer_forwarded: int = 0

    def learn(self, peer_buffer_bytes: int, peer_forwarded: int) -> None:
        """Take the guest's own numbers, which every packet of it bears."""
        self.peer_buffer_bytes, self.peer_forwarded = peer_buffer_bytes, peer_forwarded

    def may_send(self) -> int:
        """How many bytes the guest has room for."""
        return max(0, self.peer_buffer_bytes - (self.sent - self.peer_forwarded) % _WRAP)

    def may_receive(self) -> int:
        """How many bytes the guest may still send."""
        return BUFFER_BYTES - (self.received - self.forwarded)

    def announce(self) -> int:
        """The number that tells the guest how much was passed on."""
        self.announced = self.forwarded
        return self.forwarded % _WRAP

    def is_update_due(self) -> bool:
        """Whether the guest, with half of its room gone, should hear that there is more."""
        return self.forwarded - self.announced >= BUFFER_BYTES // 2
