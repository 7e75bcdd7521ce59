"""A file on its way in: pieces in any order, hashed by one at a time, and nothing is given out unchecked."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.boot.incoming import IncomingFile
from enclave.errors import BootRefused
from strongroom.protocol.catalogue import ModelFile

CONTENT = bytes(range(100))
START = 7


def incoming(content: bytes = CONTENT) -> IncomingFile:
    return IncomingFile(ModelFile("file", len(CONTENT), hashlib.sha256(content).hexdigest()), START)


def place(file: IncomingFile, begin: int, end: int) -> bool:
    """Bytes `begin` to `end` of the file."""
    return file.place(START + begin, memoryview(CONTENT)[begin:end])


def hash_all(file: IncomingFile) -> None:
    while file.claim():
        file.hash()


@st.composite
def cuts(draw: st.DrawFn) -> Sequence[tuple[int, int]]:
    edges = sorted({0, 100, *draw(st.sets(st.integers(1, 99), max_size=8))})
    return draw(st.permutations(list(pairwise(edges))))


@given(cuts(), st.sets(st.integers(0, 8)))
def test_pieces_in_any_order_hashed_at_any_time_are_the_file(
    pieces: Sequence[tuple[int, int]], hashed: set[int]
) -> None:
    file = incoming()
    for number, piece in enumerate(pieces):
        assert place(file, *piece)
        if number in hashed:
            hash_all(file)
    hash_all(file)
    assert file.content() == CONTENT


def test_what_lies_outside_the_file_is_not_its_own() -> None:
    file = incoming()
    around = memoryview(b"before" + b"x" + CONTENT + b"behind")
    assert not file.place(0, around[:START])
    assert not file.place(START + 100, around[START + 100 :])
    assert not file.claim()
    assert file.place(0, around)
    hash_all(file)
    assert file.content() == CONTENT


def test_nothing_is_hashed_behind_a_gap() -> None:
    file = incoming()
    place(file, 1, 100)
    assert not file.claim()
    place(file, 0, 1)
    assert file.claim()


def test_one_hashes_at_a_time_and_then_what_came_meanwhile() -> None:
    file = incoming()
    place(file, 0, 40)
    assert file.claim()
    place(file, 40, 100)
    assert not file.claim()
    file.hash()
    with pytest.raises(BootRefused, match="got a part"):
        file.content()
    assert file.claim()
    file.hash()
    assert not file.claim()
    assert file.content() == CONTENT


def test_another_file_than_the_manifests_is_refused_and_not_given_out() -> None:
    file = incoming(CONTENT[::-1])
    place(file, 0, 100)
    with pytest.raises(BootRefused, match="expected the manifest's bytes") as caught:
        hash_all(file)
    assert caught.value.code == "model-rejected"
    with pytest.raises(BootRefused, match="got a part"):
        file.content()


def test_a_whole_file_that_nobody_hashed_is_not_given_out() -> None:
    file = incoming()
    place(file, 0, 100)
    with pytest.raises(BootRefused, match="got a part"):
        file.content()
