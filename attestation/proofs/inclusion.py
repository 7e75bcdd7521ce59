"""Inclusion proofs (RFC 9162 section 2.1.3): a leaf is in a log, and so is, unchanged, every leaf before it.

The left neighbours on a leaf's path are just the complete subtrees that the log consisted of when the leaf was
appended. So the path that proves the leaf also proves the root of the log before it, which its receipt states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from attestation.merkle import HASH_BYTES, leaf_hash, node_hash, root_of_subtrees
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.counting import counted, counted_leaves

MAX_PATH = 48


class Roots(NamedTuple):
    """What a path leads to."""

    whole: bytes
    before: bytes
    """Of the leaves before the one that was proved."""


def inclusion_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The path of leaf ``index`` up to the root over all of ``leaves``, the leaf's neighbour first."""
    if not 0 <= index < len(leaves):
        raise ProofRejected(ProofCode.INCLUSION_FORM, f"an index below {len(leaves)}", f"{index}")
    level, path = [leaf_hash(leaf) for leaf in leaves], []
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [node_hash(left, right) for left, right in pairs] + level[len(level) & ~1 :]
        index >>= 1
    return tuple(path)


def roots_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> Roots:
    """Follow ``path`` from leaf ``index`` of a log of ``size``. Raises ProofRejected (inclusion-form)."""
    if not 0 <= index < size:
        raise ProofRejected(ProofCode.INCLUSION_FORM, f"a log of more than {counted_leaves(index)}", f"{size}")
    if any(len(neighbour) != HASH_BYTES for neighbour in path):
        raise ProofRejected(ProofCode.INCLUSION_FORM, f"steps of {HASH_BYTES} bytes", "another length")
    node, last, left = leaf_hash(leaf), size - 1, []
    for neighbour in path:
        if last == 0:
            raise _wrong_length(len(path))
        if index & 1 or index == last:
            node = node_hash(neighbour, node)
            left.append(neighbour)
            while not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, neighbour)
        index, last = index >> 1, last >> 1
    if last != 0:
        raise _wrong_length(len(path))
    return Roots(node, root_of_subtrees(left))


def _wrong_length(length: int) -> ProofRejected:
    return ProofRejected(
        ProofCode.INCLUSION_FORM, "a path as long as the log is high", counted(length, "step", "steps")
    )
