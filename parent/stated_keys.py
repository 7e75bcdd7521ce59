"""The key ids that an enclave's key list states, for routing. The keys themselves do not concern the gateway."""

import hashlib

from strongroom.protocol.errors import Malformed
from strongroom.protocol.framing import Reader

_MAGIC = b"SRK\x01"
_MAX_CONFIGURATIONS = 8


def key_ids_of(key_list: bytes) -> frozenset[bytes]:
    """SHA-256 of each key configuration of a key list (docs/protocol.md); what follows them is not read.

    Raises Malformed.
    """
    reader = Reader(key_list, "key list")
    reader.magic(_MAGIC)
    if not 1 <= (count := reader.integer(1)) <= _MAX_CONFIGURATIONS:
        raise Malformed(f"key list: expected 1 to {_MAX_CONFIGURATIONS} key configurations, got {count}")
    return frozenset(hashlib.sha256(reader.take(reader.integer(2))).digest() for _ in range(count))
