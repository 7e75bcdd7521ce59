"""The answer to GET /v1/audit?from=N: leaves of this boot's audit log from N on, and a checkpoint of the whole log.

    page = "SRL" 0x01 ‖ from (8) ‖ count (4, at most 8,192) ‖ leaves (32 each) ‖ length (4) ‖ checkpoint

The checkpoint, a COSE_Sign1 by the boot's receipt key, covers every leaf there is at that moment, which may be more
than the page holds. `from` is above N where the enclave no longer keeps leaf N: what lies between is lost.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from strongroom.protocol.errors import Malformed
from strongroom.protocol.framing import Reader

LEAF_BYTES: Final = 32
MAX_PAGE_LEAVES: Final = 8192
MAX_CHECKPOINT_BYTES: Final = 4096
MAX_PAGE_BYTES: Final = 4 + 8 + 4 + MAX_PAGE_LEAVES * LEAF_BYTES + 4 + MAX_CHECKPOINT_BYTES

_MAGIC: Final = b"SRL\x01"


@dataclass(frozen=True)
class AuditPage:
    """A run of leaf data, and the signed checkpoint; nothing of either is believed here."""

    first: int
    """The index of the first leaf, counted from 0."""
    leaves: bytes = field(repr=False)
    """32 bytes for each leaf; at most MAX_PAGE_LEAVES."""
    checkpoint: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The one encoding."""
        count = len(self.leaves) // LEAF_BYTES
        head = _MAGIC + self.first.to_bytes(8, "big") + count.to_bytes(4, "big")
        return b"".join((head, self.leaves, len(self.checkpoint).to_bytes(4, "big"), self.checkpoint))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read at most MAX_PAGE_BYTES; only lengths are judged. Raises Malformed."""
        reader = Reader(data, "audit page")
        reader.magic(_MAGIC)
        first, count = reader.integer(8), reader.integer(4)
        if count > MAX_PAGE_LEAVES:
            raise Malformed(f"audit page: expected at most {MAX_PAGE_LEAVES} leaves, got {count}")
        leaves, length = reader.take(count * LEAF_BYTES), reader.integer(4)
        if not 1 <= length <= MAX_CHECKPOINT_BYTES:
            raise Malformed(f"audit page: expected a checkpoint of 1 to {MAX_CHECKPOINT_BYTES} bytes, got {length}")
        page = cls(first, leaves, reader.take(length))
        reader.end()
        return page
