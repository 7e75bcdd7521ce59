"""Size buckets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol.errors import Malformed
from strongroom.protocol.padding import BODY_BUCKET_BYTES, FRAME_BUCKET_BYTES, pad, padded_size, unpad


@given(st.binary(max_size=5000), st.sampled_from([BODY_BUCKET_BYTES, FRAME_BUCKET_BYTES]))
def test_round_trip(body: bytes, smallest: int) -> None:
    padded = pad(body, smallest)
    assert unpad(padded) == body
    assert len(padded) == padded_size(len(body), smallest) >= smallest


def test_few_sizes_for_many_lengths() -> None:
    assert {len(pad(b"x" * length)) for length in range(1, 4093)} == {1024, 2048, 4096}
    assert len({padded_size(length, BODY_BUCKET_BYTES) for length in range(1 << 20)}) < 24


@pytest.mark.parametrize("length", [0, 1, 1020, 1021, 65532, 65533, 131068, 131069])
def test_a_bucket_holds_length_and_body(length: int) -> None:
    assert length + 4 <= padded_size(length, BODY_BUCKET_BYTES) <= max(2 * (length + 4), 1024)


@pytest.mark.parametrize(
    "padded", [b"", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\5abcd", b"\xff" * 8, b"\0\0\0\1a\0\1", b"\0\0\0\0\1"]
)
def test_bad_padding_is_malformed(padded: bytes) -> None:
    with pytest.raises(Malformed):
        unpad(padded)
