"""The Merkle tree: RFC 9162's definition written down again, and roots that certificate transparency's tests know."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress

import pytest

from attestation.merkle import EMPTY_ROOT, Frontier
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.inclusion import inclusion_path, roots_of_path
from tests.attestation.issuing import derived

LEAVES = [derived(f"leaf {index}") for index in range(40)]

# The eight leaves and roots that certificate transparency's implementations share (RFC 6962's reference tests).
KNOWN_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(leaves[:half]) + root_of(leaves[half:])).digest()


def test_known_roots() -> None:
    frontier, roots = Frontier(), []
    for leaf in KNOWN_LEAVES:
        frontier.append(bytes.fromhex(leaf))
        roots.append(frontier.root().hex())
    assert roots == KNOWN_ROOTS


def test_a_frontier_has_the_root_of_the_definition_at_every_size() -> None:
    frontier = Frontier()
    assert frontier.root() == EMPTY_ROOT == root_of([])
    for size, leaf in enumerate(LEAVES, 1):
        frontier.append(leaf)
        assert (frontier.size, frontier.root()) == (size, root_of(LEAVES[:size]))


@pytest.mark.parametrize("size", range(1, 34))
def test_a_path_proves_the_leaf_and_the_log_before_it(size: int) -> None:
    for index in range(size):
        roots = roots_of_path(LEAVES[index], index, size, inclusion_path(LEAVES[:size], index))
        assert roots == (root_of(LEAVES[:size]), root_of(LEAVES[:index]))


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (1, 2), (6, 7), (4, 7), (12, 13), (5, 32), (31, 32)])
def test_no_other_path_leads_to_the_root(index: int, size: int) -> None:
    path = inclusion_path(LEAVES[:size], index)
    altered = [(*path[:at], derived("another"), *path[at + 1 :]) for at in range(len(path))]
    others = [(LEAVES[index], index, other) for other in altered]
    others += [(LEAVES[index], place, path) for place in range(size) if place != index]
    others += [(derived("another leaf"), index, path)]
    for leaf, place, steps in others:
        with suppress(ProofRejected):
            assert roots_of_path(leaf, place, size, steps).whole != root_of(LEAVES[:size])


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 0, ()),
        (3, 3, ()),
        (-1, 3, ()),
        (0, 1, (LEAVES[0],)),
        (2, 5, inclusion_path(LEAVES[:5], 2)[:-1]),
        (2, 5, (*inclusion_path(LEAVES[:5], 2), LEAVES[0])),
        (0, 2, (LEAVES[1][:-1],)),
        (0, 2, (LEAVES[1] + b"\0",)),
    ],
)
def test_a_path_of_another_form_is_refused(index: int, size: int, path: tuple[bytes, ...]) -> None:
    with pytest.raises(ProofRejected) as caught:
        roots_of_path(LEAVES[0], index, size, path)
    assert caught.value.code is ProofCode.INCLUSION_FORM


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_path_from_outside(index: int) -> None:
    with pytest.raises(ProofRejected):
        inclusion_path(LEAVES[:3], index)
