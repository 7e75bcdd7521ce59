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
def test_the_chunks_are_dealt_out_in_turn_and_each_is_in_one_segment(plaintext_bytes: int, streams: int) -> None:
    model = model_of(plaintext_bytes)
    segments = model.segments(streams)
    step = min(streams, model.head.chunks)
    assert [segment.chunks for segment in segments] == [range(n, model.head.chunks, step) for n in range(step)]
    assert sum(segment.size_bytes for segment in segments) == model.weights_bytes


@given(st.integers(1, 1 << 30), st.integers(1, 16))
def test_segments_differ_by_one_chunk_at_most(plaintext_bytes: int, streams: int) -> None:
    model = model_of(plaintext_bytes)
    lengths = [len(segment.chunks) for segment in model.segments(streams)]
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) >= 1


@pytest.mark.parametrize("streams", [1, 2, 3, 16])
async def test_the_segments_are_the_files_bytes(tmp_path: Path, streams: int) -> None:
    head = SealedWeightsHead("m", "1", bytes(32), 3 * WEIGHTS_CHUNK_BYTES + 7, b"w")
    chunks = [bytes([index + 1]) * head.segment_bytes(index, index + 1) for index in range(head.chunks)]
    (tmp_path / "m.sealed").write_bytes(head.to_bytes() + b"".join(chunks))
    model = SealedModel.open(tmp_path, "m")
    assert model.head == head
    for segment in model.segments(streams):
        read = b"".join([piece async for piece in model.read(segment)])
        assert read == b"".join(chunks[index] for index in segment.chunks)
        assert len(read) == segment.size_bytes
