"""Segments and the ledger of chunks: whole chunks, of this model, each once."""

import pytest

from enclave.boot.segments import ChunkLedger, Segment
from enclave.errors import BootRefused
from tests.enclave.weights import MIB, Model, cipher_of

MODEL = Model()
HEAD = MODEL.cipher.head


def cut(data: bytes, first: int, step: int, piece_bytes: int) -> list[tuple[int, bytes]]:
    """What a segment gives for these bytes, in pieces of `piece_bytes`."""
    segment = Segment(HEAD, first, step)
    pieces = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]
    found = [(index, bytes(chunk)) for piece in pieces for index, chunk in segment.feed(piece)]
    segment.finish()
    return found


@pytest.mark.parametrize("piece_bytes", [65_536, MIB, MIB + 16, 10 * MIB])
@pytest.mark.parametrize(
    "chunks", [range(4), range(1), range(1, 3), range(3, 4), range(0, 4, 2), range(1, 4, 2)], ids=str
)
def test_a_segment_is_cut_into_its_chunks(chunks: range, piece_bytes: int) -> None:
    assert HEAD.chunks == 4
    data = MODEL.segment(chunks.start, chunks.stop, chunks.step)
    assert cut(data, chunks.start, chunks.step, piece_bytes) == [(index, MODEL.chunks[index]) for index in chunks]


@pytest.mark.parametrize("first", [4, 5, 1 << 40, -1])
def test_a_segment_begins_inside_the_model(first: int) -> None:
    with pytest.raises(BootRefused, match="first chunk below 4") as caught:
        Segment(HEAD, first, 1)
    assert caught.value.code == "bad-segment"


@pytest.mark.parametrize("data", [b"", b"x", MODEL.segment(0, 1)[:-1], MODEL.segment(0, 1) + b"x"])
def test_a_segment_is_whole_chunks_one_at_least(data: bytes) -> None:
    with pytest.raises(BootRefused, match="whole chunks") as caught:
        cut(data, 0, 1, 100_000)
    assert caught.value.code == "bad-segment"


@pytest.mark.parametrize(("first", "step"), [(0, 1), (3, 1), (0, 3), (1, 2), (0, 2), (2, 99_999_999)])
def test_nothing_may_follow_the_last_chunk_and_none_of_it_is_kept(first: int, step: int) -> None:
    segment = Segment(HEAD, first, step)
    assert len(list(segment.feed(MODEL.segment(first, 4, step)))) == len(range(first, 4, step))
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
    assert len(list(Segment(cipher_of(1 << 42).head, 1 << 21, 1).feed(bytes(MIB)))) == 0
