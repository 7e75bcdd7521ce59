"""Sealed models cut into segments: every chunk once, in nearly equal parts, whatever their number."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parent.delivery import SealedModel
from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES, SealedWeightsHead


def model_of(plaintext_bytes: int) -> SealedModel:
    return SealedModel("m", Path("m.sealed"), SealedWeightsHead("m", "1", bytes(32), plaintext_bytes, b"w"))


@given(st.integers(1, 1 << 42), st.integers(1, 16))
def test_segments_follow_each_other_and_cover_the_weights(plaintext_bytes: int, streams: int) -> None:
    model = model_of(plaintext_bytes)
    segments = model.segments(streams)
    at = len(model.head.to_bytes())
    for segment in segments:
        assert segment.offset == at
        assert segment.first_chunk * WEIGHTS_CHUNK_BYTES < plaintext_bytes
        at += segment.size_bytes
    assert at == len(model.head.to_bytes()) + model.weights_bytes
    assert segments[0].first_chunk == 0
    assert len(segments) == min(streams, model.head.chunks)


@given(st.integers(1, 1 << 30), st.integers(1, 16))
def test_segments_differ_by_one_chunk_at_most(plaintext_bytes: int, streams: int) -> None:
    model = model_of(plaintext_bytes)
    firsts = [segment.first_chunk for segment in model.segments(streams)]
    lengths = [end - first for first, end in zip(firsts, [*firsts[1:], model.head.chunks], strict=True)]
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) >= 1


@pytest.mark.parametrize("streams", [1, 2, 3, 16])
async def test_the_segments_are_the_files_bytes(tmp_path: Path, streams: int) -> None:
    head = SealedWeightsHead("m", "1", bytes(32), 3 * WEIGHTS_CHUNK_BYTES + 7, b"w")
    weights = b"".join(bytes([index + 1]) * head.segment_bytes(index, index + 1) for index in range(head.chunks))
    (tmp_path / "m.sealed").write_bytes(head.to_bytes() + weights)
    model = SealedModel.open(tmp_path, "m")
    assert model.head == head
    read = [b"".join([piece async for piece in model.read(segment)]) for segment in model.segments(streams)]
    assert b"".join(read) == weights
    assert [len(segment) for segment in read] == [segment.size_bytes for segment in model.segments(streams)]
