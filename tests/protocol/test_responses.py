"""Sealed responses: order, finality, binding to the one request, and a salt that never repeats (R2)."""

import itertools

import pytest

from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.errors import Malformed, OpenFailed, ProtocolError, TooLarge, Truncated
from strongroom.protocol.messages import SealedRequestHead, SealedResponseHead
from strongroom.protocol.responses import ResponseOpener, ResponseSealer

SECRET = b"s" * 32
REQUEST = SealedRequestHead(1, b"k" * 32, b"i" * 16, 1, "m").to_bytes() + b"ciphertext"
BODIES = [b"first", b"", b"third" * 100, b"last"]


def pieces(request: bytes = REQUEST, media_type: str = MEDIA_SEALED_STREAM) -> list[bytes]:
    sealer = ResponseSealer(SECRET, request, media_type)
    last = len(BODIES) - 1
    return [sealer.head, *(sealer.seal(body, last=number == last) for number, body in enumerate(BODIES))]


def opener(request: bytes = REQUEST, media_type: str = MEDIA_SEALED_STREAM) -> ResponseOpener:
    return ResponseOpener(SECRET, request, media_type)


def read_all(data: bytes) -> None:
    reader = opener()
    reader.feed(data)
    reader.finish()


@pytest.mark.parametrize("step", [1, 7, 54, 1000, 100_000])
def test_round_trip_in_pieces_of_any_size(step: int) -> None:
    data, reader = b"".join(pieces()), opener()
    opened = [body for at in range(0, len(data), step) for body in reader.feed(data[at : at + step])]
    reader.finish()
    assert opened == BODIES


def test_truncation_at_every_chunk_is_an_error() -> None:
    parts = pieces()
    for count in range(len(parts)):
        reader = opener()
        reader.feed(b"".join(parts[:count]))
        with pytest.raises(Truncated):
            reader.finish()


def test_a_chunk_cannot_be_moved_repeated_dropped_or_relabelled() -> None:
    head, *chunks = pieces()
    for order in itertools.product(range(len(chunks)), repeat=2):
        if order == (0, 1):
            continue
        with pytest.raises(ProtocolError):
            opener().feed(head + b"".join(chunks[index] for index in order) + chunks[-1])
    with pytest.raises(OpenFailed):
        opener().feed(head + b"\1" + chunks[0][1:])
    with pytest.raises(OpenFailed):
        opener().feed(head + b"".join(chunks[:-1]) + b"\0" + chunks[-1][1:])


def test_every_altered_byte_is_refused() -> None:
    data = b"".join(pieces())
    for position in range(0, len(data), 11):
        altered = bytearray(data)
        altered[position] ^= 0x80
        with pytest.raises(ProtocolError):
            read_all(bytes(altered))


def test_an_answer_belongs_to_its_request_and_media_type_alone() -> None:
    other = SealedRequestHead(1, b"k" * 32, b"i" * 16, 1, "m").to_bytes() + b"another ciphertext"
    data = b"".join(pieces())
    for reader in (opener(other), opener(media_type=MEDIA_SEALED_RESPONSE), ResponseOpener(b"t" * 32, REQUEST, "x")):
        with pytest.raises(OpenFailed):
            reader.feed(data)


def test_a_spliced_head_is_refused() -> None:
    first, second = pieces(), pieces()
    with pytest.raises(OpenFailed):
        opener().feed(second[0] + b"".join(first[1:]))
    foreign = SealedResponseHead(1, b"j" * 16, b"r" * 32).to_bytes()
    with pytest.raises(OpenFailed):
        opener().feed(foreign)


def test_the_same_request_never_repeats_a_key_and_nonce() -> None:
    # Equal plaintext under an equal (key, nonce) would give equal ciphertext.
    assert len({pieces()[1] for _ in range(50)}) == 50


def test_nothing_follows_the_last_chunk() -> None:
    with pytest.raises(Malformed):
        opener().feed(b"".join(pieces()) + b"\0")
    sealer = ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM)
    sealer.seal(b"", last=True)
    with pytest.raises(Malformed):
        sealer.seal(b"", last=False)


@pytest.mark.parametrize("size", [0, 16, (4 << 20) + 1, (1 << 32) - 1])
def test_a_chunk_length_is_bounded_before_anything_is_allocated(size: int) -> None:
    with pytest.raises(TooLarge):
        opener().feed(pieces()[0] + b"\0" + size.to_bytes(4, "big"))


def test_a_flag_other_than_0_or_1_is_malformed() -> None:
    with pytest.raises(Malformed):
        opener().feed(pieces()[0] + b"\2" + b"\0\0\1\0")
