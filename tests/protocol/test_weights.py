"""Sealed weights: opened whole and in order, or not at all."""

import pytest

from strongroom.protocol.errors import Malformed, OpenFailed, Truncated
from strongroom.protocol.messages import WEIGHTS_CHUNK_BYTES, SealedWeightsHead
from strongroom.protocol.weights import WeightsOpener, new_weights_head, seal_weights

KEY = b"d" * 32
HEAD = new_weights_head("tiny", "1", b"wrapped")
PLAINTEXT = bytes(range(256)) * 10_000  # two whole chunks and a half


def sealed(plaintext: bytes = PLAINTEXT, head: SealedWeightsHead = HEAD) -> bytes:
    return b"".join(seal_weights(head, KEY, [plaintext]))[len(head.to_bytes()) :]


def open_all(data: bytes, head: SealedWeightsHead = HEAD, key: bytes = KEY, step: int = 65_000) -> bytes:
    opener = WeightsOpener(head, key)
    pieces = [piece for at in range(0, len(data), step) for piece in opener.feed(data[at : at + step])]
    return b"".join(pieces) + opener.finish()


@pytest.mark.parametrize("size", [0, 1, WEIGHTS_CHUNK_BYTES - 1, WEIGHTS_CHUNK_BYTES, WEIGHTS_CHUNK_BYTES + 1])
def test_round_trip_around_the_chunk_size(size: int) -> None:
    assert open_all(sealed(b"x" * size)) == b"x" * size


def test_the_head_round_trips_and_names_its_length() -> None:
    data = HEAD.to_bytes()
    assert SealedWeightsHead.read(data + b"more") == (HEAD, len(data))
    for bad in (b"", data[:-1], b"SRW\x02" + data[4:], data[:4] + b"\0" + data[5:], data.replace(b"tiny", b"TINY")):
        with pytest.raises(Malformed):
            SealedWeightsHead.read(bad)


def test_chunks_cannot_be_dropped_moved_cut_or_altered() -> None:
    data, size = sealed(), WEIGHTS_CHUNK_BYTES + 16
    first, second, last = data[:size], data[size : 2 * size], data[2 * size :]
    for bad in (second + last, first + last, second + first + last, first + second, data[:-1], data + b"\0"):
        with pytest.raises(OpenFailed):
            open_all(bad)
    with pytest.raises(OpenFailed):
        open_all(first + bytes([second[0] ^ 1]) + second[1:] + last)
    with pytest.raises(Truncated):
        open_all(b"")


def test_a_head_of_another_model_or_salt_opens_nothing() -> None:
    others = (
        SealedWeightsHead("other", "1", HEAD.salt, HEAD.wrapped_key),
        SealedWeightsHead("tiny", "2", HEAD.salt, HEAD.wrapped_key),
        SealedWeightsHead("tiny", "1", b"x" * 32, HEAD.wrapped_key),
        SealedWeightsHead("tiny", "1", HEAD.salt, b"another"),
    )
    for head in others:
        with pytest.raises(OpenFailed):
            open_all(sealed(), head)
    with pytest.raises(OpenFailed):
        open_all(sealed(), key=b"e" * 32)
