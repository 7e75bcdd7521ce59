"""Invariant of ``roots_of_path``: ProofRejected (inclusion-form), or roots; a log's own root only for its own leaf.

An input is index (8, big-endian) ‖ size (8) ‖ leaf (32) ‖ a path of steps of 32 bytes.
"""

from __future__ import annotations

from functools import cache

from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.inclusion import inclusion_path, roots_of_path
from tests.attestation.issuing import Enclave
from tests.fuzz.targets import check

_SIZES = (1, 2, 7, 8, 13)


def seeds() -> list[bytes]:
    return [_input(index, size, _log().leaves) for size in _SIZES for index in range(size)]


def one_input(data: bytes) -> None:
    index, size, leaf = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big"), data[16:48]
    path = [data[at : at + 32] for at in range(48, len(data), 32)]
    try:
        roots = roots_of_path(leaf, index, size, path)
    except ProofRejected as refused:
        check(refused.code is ProofCode.INCLUSION_FORM, "inclusion-form")
        return
    check(len(path) <= (size - 1).bit_length(), "a path no longer than the log is high")
    if roots.whole in _roots() and size == _roots().index(roots.whole):
        check(leaf == _log().leaves[index], "the leaf that has this place")
        check(roots.before == _roots()[index], "the root of the log before it")


def _input(index: int, size: int, leaves: list[bytes]) -> bytes:
    path = inclusion_path(leaves[:size], index)
    return index.to_bytes(8, "big") + size.to_bytes(8, "big") + leaves[index] + b"".join(path)


@cache
def _log() -> Enclave:
    enclave = Enclave("A")
    enclave.fill(max(_SIZES))
    return enclave


@cache
def _roots() -> list[bytes]:
    """By the number of leaves."""
    growing, roots = Enclave("A"), []
    for _ in range(max(_SIZES) + 1):
        roots.append(growing.frontier.root())
        growing.fill(1)
    return roots
