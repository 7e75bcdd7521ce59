"""Strict CBOR: what must not be decoded, bombs first."""

from __future__ import annotations

import time

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestation.cbor import MAX_DEPTH, MAX_ITEMS, decode
from attestation.errors import Rejected, RejectionCode

HUGE = b"\xff" * 8


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(b"\x9b" + HUGE, id="array of 2^64-1"),
        pytest.param(b"\xbb" + HUGE, id="map of 2^64-1"),
        pytest.param(b"\x5b" + HUGE, id="string of 2^64-1"),
        pytest.param(b"\x5a\x06\x00\x00\x00", id="string of 100 MB"),
        pytest.param(b"\x81" * 1000, id="depth 1000"),
        pytest.param(b"\x81" * 16384, id="depth 16384"),
        pytest.param(b"\x99\x3f\xf0" + b"\x00" * 16368, id="many small items"),
        pytest.param(b"\xbf" + b"\x00" * 16383, id="many small items, indefinite"),
        pytest.param(b"\xbf" + b"\x80" * 16383, id="many empty arrays"),
        pytest.param(b"\x9f" * 16384, id="indefinite arrays"),
        pytest.param(b"\xc6" * 16384, id="tags"),
    ],
)
def test_answers_bombs_at_once(bomb: bytes) -> None:
    started = time.thread_time()
    with pytest.raises(Rejected) as caught:
        decode(bomb)
    assert time.thread_time() - started < 0.010
    assert caught.value.code is RejectionCode.PAYLOAD_CBOR


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x18\x00", id="non-minimal 0"),
        pytest.param(b"\x18\x17", id="non-minimal 23"),
        pytest.param(b"\x19\x00\xff", id="non-minimal 255"),
        pytest.param(b"\x1a\x00\x00\xff\xff", id="non-minimal 65535"),
        pytest.param(b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", id="non-minimal 2^32-1"),
        pytest.param(b"\x38\x17", id="non-minimal negative"),
        pytest.param(b"\x58\x01a", id="non-minimal string"),
        pytest.param(b"\x19\x01", id="half a head"),
        pytest.param(b"\x1c", id="reserved 28"),
        pytest.param(b"\x1f", id="indefinite integer"),
        pytest.param(b"\x5f\x41a\xff", id="chunked bytes"),
        pytest.param(b"\x7f\x61a\xff", id="chunked text"),
        pytest.param(b"\x9f\x00\xff", id="indefinite array"),
        pytest.param(b"\xa1\x00\xbf\xff", id="indefinite map inside"),
        pytest.param(b"\xbf\x00\xff", id="indefinite map without the last value"),
        pytest.param(b"\xbf\x00\x00", id="indefinite map without break"),
        pytest.param(b"\xa1\x00\xff", id="break in a definite map"),
        pytest.param(b"\xff", id="break alone"),
        pytest.param(b"\xa1\x00", id="map without its value"),
        pytest.param(b"\x62a", id="text cut off"),
        pytest.param(b"\x61\xff", id="not UTF-8"),
        pytest.param(b"\x63\xed\xa0\x80", id="surrogate"),
        pytest.param(b"\xc1\x00", id="tag"),
        pytest.param(b"\xc2\x41\x01", id="bignum"),
        pytest.param(b"\xf9\x7e\x00", id="NaN"),
        pytest.param(b"\xfb" + bytes(8), id="double"),
        pytest.param(b"\xf7", id="undefined"),
        pytest.param(b"\xe0", id="simple 0"),
        pytest.param(b"\xf8\x20", id="simple 32"),
        pytest.param(b"\x81" * (MAX_DEPTH + 1) + b"\x00", id="too deep"),
        pytest.param(b"\x99\x02\x00" + b"\x00" * MAX_ITEMS, id="too many items"),
    ],
)
def test_refuses(data: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        decode(data)
    assert caught.value.code is RejectionCode.PAYLOAD_CBOR


@pytest.mark.parametrize("data", [b"\xa2\x00\x01\x00\x02", b"\xa2\x00\x01\xf4\x02", b"\x81\xa2\x61a\x01\x61a\x02"])
def test_refuses_duplicate_keys(data: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        decode(data)
    assert caught.value.code is RejectionCode.DUPLICATE_KEY


@pytest.mark.parametrize("data", [b"\xa0\x00", b"\xbf\xff\x00", b"\x00\x00"])
def test_refuses_trailing_bytes(data: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        decode(data)
    assert caught.value.code is RejectionCode.PAYLOAD_TRAILING_BYTES


def test_accepts_the_limits() -> None:
    assert decode(b"\x81" * MAX_DEPTH + b"\x00") == [[[[0]]]]
    assert decode(b"\x99\x01\xff" + b"\x00" * (MAX_ITEMS - 1)) == [0] * (MAX_ITEMS - 1)
    assert decode(b"\xbf\x61a\x01\xff") == {"a": 1}


leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.binary(max_size=40) | st.text(max_size=20)
values = leaves | st.lists(leaves | st.lists(leaves, max_size=3), max_size=3)


@given(st.dictionaries(st.text(max_size=8), values, max_size=8))
def test_agrees_with_cbor2_on_what_it_accepts(value: dict[str, object]) -> None:
    assert decode(cbor2.dumps(value)) == value


@given(st.binary(max_size=64))
def test_noise_is_decoded_or_rejected(data: bytes) -> None:
    try:
        decode(data)
    except Rejected:
        return
