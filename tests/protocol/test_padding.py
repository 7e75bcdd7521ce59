"""Size buckets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol.errors import Malformed
from strongroom.protocol.padding import (
    ANSWER_BUCKET_BYTES,
    BODY_BUCKET_BYTES,
    FRAME_BUCKET_BYTES,
    pad,
    padded_size,
    unpad,
)

BUCKETS = [ANSWER_BUCKET_BYTES, BODY_BUCKET_BYTES, FRAME_BUCKET_BYTES]


@given(st.binary(max_size=5000), st.sampled_from(BUCKETS))
def test_round_trip(body: bytes, smallest: int) -> None:
    padded = pad(body, smallest=smallest)
    assert unpad(padded, smallest) == body
    assert len(padded) == padded_size(len(body), smallest) >= smallest


@given(st.binary(max_size=3000), st.sampled_from(BUCKETS), st.integers(1, 2048))
def test_a_body_has_one_padding(body: bytes, smallest: int, more: int) -> None:
    padded = pad(body, smallest=smallest)
    for other in (padded + bytes(more), padded[:-more]):
        with pytest.raises(Malformed):
            unpad(other, smallest)


def test_few_sizes_for_many_lengths() -> None:
    assert {len(pad(b"x" * length)) for length in range(1, 4093)} == {1024, 2048, 4096}
    assert len({padded_size(length, BODY_BUCKET_BYTES) for length in range(1 << 20)}) < 24


@pytest.mark.parametrize("length", [0, 1, 1020, 1021, 65532, 65533, 131068, 131069])
def test_a_bucket_holds_length_and_body(length: int) -> None:
    assert length + 4 <= padded_size(length, BODY_BUCKET_BYTES) <= max(2 * (length + 4), 1024)


def filled(body: bytes, filling: bytes = b"") -> bytes:
    return (len(body).to_bytes(4, "big") + body).ljust(1024 - len(filling), b"\0") + filling


BAD = {
    "nothing": b"",
    "a length cut short": b"\0\0\0",
    "no body": b"\0\0\0\1",
    "a length beyond the bytes": b"\0\0\4\1".ljust(1024, b"\0"),
    "a length of 2^32 - 1": b"\xff\xff\xff\xff".ljust(1024, b"\0"),
    "a byte behind the body": filled(b"a" * 100)[:104] + b"\1" + bytes(919),
    "a last byte that is not zero": filled(b"a", b"\1"),
    "no bucket": filled(b"a")[:-1],
    "the bucket above": filled(b"a").ljust(2048, b"\0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_padding_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        unpad(BAD[name])


@given(st.lists(st.binary(max_size=700), max_size=6))
def test_a_body_in_pieces_is_the_body_in_one(pieces: list[bytes]) -> None:
    assert pad(*pieces) == pad(b"".join(pieces))


def test_a_body_is_taken_out_without_a_copy() -> None:
    padded = pad(b"body")
    assert unpad(padded).obj is padded
