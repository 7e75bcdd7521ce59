"""The audit log of this boot, as its author keeps it: a frontier, and the last leaves for whoever stores them."""

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from attestation.checkpoints import Checkpoint, sign_checkpoint
from attestation.merkle import Frontier
from strongroom.protocol.audit import LEAF_BYTES, MAX_PAGE_LEAVES, AuditPage


class AuditLog:
    """Append-only; `kept` is the number of leaves that can still be asked for. Use it on one event loop."""

    def __init__(self, key: EllipticCurvePrivateKey, kept: int) -> None:
        self._key, self._kept_bytes = key, kept * LEAF_BYTES
        self._frontier = Frontier()
        self._leaves = bytearray()

    @property
    def size(self) -> int:
        """The number of leaves so far."""
        return self._frontier.size

    def root(self) -> bytes:
        """The root over all of them, 32 bytes."""
        return self._frontier.root()

    def append(self, leaf: bytes) -> None:
        """Add a leaf's data, 32 bytes."""
        self._frontier.append(leaf)
        self._leaves += leaf
        del self._leaves[: -self._kept_bytes]

    def page(self, first: int, boot_id: bytes, at_ms: int) -> AuditPage:
        """Leaves from `first` on, or from the first that is kept, and a signed checkpoint of the whole log."""
        forgotten = self.size - len(self._leaves) // LEAF_BYTES
        first = min(max(first, forgotten), self.size)
        start = (first - forgotten) * LEAF_BYTES
        leaves = bytes(self._leaves[start : start + MAX_PAGE_LEAVES * LEAF_BYTES])
        checkpoint = Checkpoint(boot_id, self.size, self.root(), at_ms)
        return AuditPage(first, leaves, sign_checkpoint(checkpoint, self._key))
