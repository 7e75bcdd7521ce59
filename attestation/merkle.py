"""The audit log's Merkle tree (RFC 9162 section 2.1, SHA-256), as its author keeps it: a frontier and nothing more."""

from __future__ import annotations

import hashlib

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 ‖ leaf data)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the complete subtrees that a log consists of, the largest first: all that appending needs."""

    def __init__(self) -> None:
        self._subtrees: list[bytes] = []
        self._size = 0

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add a leaf's data (32 bytes in our logs)."""
        node, complete = leaf_hash(leaf), self._size
        while complete & 1:
            node = node_hash(self._subtrees.pop(), node)
            complete >>= 1
        self._subtrees.append(node)
        self._size += 1

    def root(self) -> bytes:
        """The root over all leaves so far, 32 bytes."""
        return root_of_subtrees(self._subtrees[::-1])


def root_of_subtrees(ascending: list[bytes]) -> bytes:
    """The root of a log that consists of these complete subtrees, the smallest, which is the last, first."""
    if not ascending:
        return EMPTY_ROOT
    root = ascending[0]
    for subtree in ascending[1:]:
        root = node_hash(subtree, root)
    return root
