"""Segments and the ledger of chunks: whole chunks, of this model, each once."""

import pytest

from enclave.boot.segments import ChunkLedger, Segment
from enclave.errors import BootRefused
from tests.enclave.weights import MIB, Model, cipher_of

MODEL = Model()
HEAD = MODEL.cipher.head


def cut(data: bytes, first: int, step: int) -> list[tuple[int, bytes]]:
    """What a segment gives for these bytes, in pieces of `step`."""
    segment = Segment(HEAD, first)
    found = [
        (index, bytes(chunk)) for at in range(0, len(data), step) for index, chunk in segment.feed(data[at : at + step])
    ]
    segment.finish()
    return found


@pytest.mark.parametrize("step", [65_536, MIB, MIB + 16, 10 * MIB])
@pytest.mark.parametrize(("first", "end"), [(0, 4), (0, 1), (1, 3), (3, 4)])
def test_a_segment_is_cut_into_its_chunks(first: int, end: int, step: int) -> None:
    assert HEAD.chunks == 4
    assert cut(MODEL.segment(first, end), first, step) == list(enumerate(MODEL.chunks))[first:end]


@pytest.mark.parametrize("first", [4, 5, 1 << 40, -1])
def test_a_segment_begins_inside_the_model(first: int) -> None:
    with pytest.raises(BootRefused, match="first chunk below 4") as caught:
        Segment(HEAD, first)
    assert caught.value.code == "bad-segment"


@pytest.mark.parametrize("data", [b"", b"x", MODEL.segment(0, 1)[:-1], MODEL.segment(0, 1) + b"x"])
def test_a_segment_is_whole_chunks_one_at_least(data: bytes) -> None:
    with pytest.raises(BootRefused, match="whole chunks") as caught:
        cut(data, 0, 100_000)
    assert caught.value.code == "bad-segment"


@pytest.mark.parametrize("first", [0, 3])
def test_nothing_may_follow_the_last_chunk_and_none_of_it_is_kept(first: int) -> None:
    segment = Segment(HEAD, first)
    assert len(list(segment.feed(MODEL.segment(first, 4)))) == 4 - first
    with pytest.raises(BootRefused, match="last chunk of the model") as caught:
        list(segment.feed(b"x"))
    assert caught.value.code == "bad-segment"


def test_a_chunk_comes_once() -> None:
    ledger = ChunkLedger(3)
    for index in (2, 0):
        ledger.claim(index)
    for index in (0, 2):
        with pytest.raises(BootRefused, match=f"chunk {index} twice") as caught:
            ledger.claim(index)
    assert caught.value.code == "bad-segment"


def test_a_model_is_complete_when_every_chunk_is_in_its_place() -> None:
    ledger = ChunkLedger(2)
    for index in (1, 0):
        ledger.claim(index)
        assert not ledger.complete
        assert ledger.claimed == ledger.settled + 1
        ledger.settle()
    assert ledger.complete


def test_a_head_that_claims_terabytes_costs_nothing() -> None:
    assert len(list(Segment(cipher_of(1 << 42).head, 1 << 21).feed(bytes(MIB)))) == 0
