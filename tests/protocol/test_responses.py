"""Sealed responses: order, finality, binding to the one request, and a salt that never repeats (R2)."""

import hashlib
import hmac
import itertools

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.errors import Malformed, OpenFailed, ProtocolError, TooLarge, Truncated, Unsupported
from strongroom.protocol.messages import SealedRequestHead, SealedResponseHead
from strongroom.protocol.responses import MAX_CHUNK_BODY_BYTES, ResponseOpener, ResponseSealer
from strongroom.protocol.ways import WayIn
from tests.protocol.sealed import fields, padded

SECRET = b"s" * 32
ASKED = SealedRequestHead(WayIn.XWING, b"k" * 32, b"i" * 16, 1, "m").to_bytes()
REQUEST = ASKED + b"ciphertext".ljust(20_000, b".") + b"and the tag of it"
DIGEST = bytes(range(48))
BODIES = [b"first", b"", b"third" * 100, b"last"]


def pieces(request: bytes = REQUEST, media_type: str = MEDIA_SEALED_STREAM) -> list[bytes]:
    sealer = ResponseSealer(SECRET, request, media_type, DIGEST)
    last = len(BODIES) - 1
    return [sealer.head, *(sealer.seal(body, last=number == last) for number, body in enumerate(BODIES))]


def opener(request: bytes = REQUEST, media_type: str = MEDIA_SEALED_STREAM) -> ResponseOpener:
    return ResponseOpener(SECRET, request, media_type)


def read_all(data: bytes) -> None:
    reader = opener()
    reader.feed(data)
    reader.finish()


@pytest.mark.parametrize("step", [1, 7, 102, 1000, 100_000])
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
    data = b"".join(pieces())
    others = [ASKED + b"!" + REQUEST[len(ASKED) + 1 :], REQUEST[:-1] + b"!", REQUEST[:1000], ASKED]
    strangers = [opener(media_type=MEDIA_SEALED_RESPONSE), ResponseOpener(b"t" * 32, REQUEST, MEDIA_SEALED_STREAM)]
    for reader in [*map(opener, others), *strangers]:
        with pytest.raises(OpenFailed):
            reader.feed(data)


def test_all_that_a_request_says_in_the_clear_and_its_tag_are_bound() -> None:
    clear_bytes = 127 + 32 + 2 + 6144
    data = b"".join(pieces())
    for position in [*range(len(ASKED), clear_bytes, 97), clear_bytes - 1, *range(-16, 0)]:
        other = bytearray(REQUEST)
        other[position] ^= 1
        with pytest.raises(OpenFailed):
            opener(bytes(other)).feed(data)


def test_the_bytes_are_those_of_the_protocol_page() -> None:
    head = b"SRS\x01\x00\x01" + b"i" * 16 + b"r" * 32 + DIGEST
    bound = fields(REQUEST[:8192], REQUEST[-16:], head, MEDIA_SEALED_STREAM.encode())
    info = b"strongroom response v1\0" + hashlib.sha256(bound).digest()
    extracted = hmac.digest(b"r" * 32, SECRET, "sha256")
    key = hmac.digest(extracted, info + b"\1", "sha256")
    base = int.from_bytes(hmac.digest(extracted, key + info + b"\2", "sha256")[:12], "big")
    data = head
    for counter, (body, size) in enumerate([(b"one", 256), (b"two", 2048)]):
        nonce, aad = (base ^ counter).to_bytes(12, "big"), counter.to_bytes(8, "big") + bytes([counter])
        sealed = AESGCM(key).encrypt(nonce, padded(body, size), aad)
        data += bytes([counter]) + len(sealed).to_bytes(4, "big") + sealed
    reader = opener()
    assert reader.feed(data) == [b"one", b"two"]
    reader.finish()


def test_the_head_names_the_document_of_the_enclave_that_answered() -> None:
    sealer = ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST)
    reader = opener()
    assert reader.head is None
    reader.feed(sealer.head + sealer.seal(b"", last=True))
    assert reader.head == SealedResponseHead(WayIn.XWING, b"i" * 16, sealer.salt, DIGEST)


@pytest.mark.parametrize("position", [5, *range(6, 102, 5), 101])
def test_no_part_of_the_head_can_be_exchanged(position: int) -> None:
    data = bytearray(b"".join(pieces()))
    data[position] ^= 2
    with pytest.raises(OpenFailed):
        opener().feed(bytes(data))


def test_the_suite_is_the_one_of_the_request() -> None:
    for suite, kind in [(2, OpenFailed), (3, OpenFailed), (0, Unsupported), (4, Unsupported)]:
        data = bytearray(pieces()[0])
        data[4:6] = suite.to_bytes(2, "big")
        with pytest.raises(kind):
            opener().feed(bytes(data))


def test_a_spliced_head_is_refused() -> None:
    first, second = pieces(), pieces()
    with pytest.raises(OpenFailed):
        opener().feed(second[0] + b"".join(first[1:]))
    foreign = SealedResponseHead(WayIn.XWING, b"j" * 16, b"r" * 32, DIGEST).to_bytes()
    with pytest.raises(OpenFailed):
        opener().feed(foreign)


def test_the_same_request_never_repeats_a_key_and_nonce() -> None:
    # Two enclaves, a restart, a full cache: whoever opened the request, the keys differ. Equal plaintext under an
    # equal (key, nonce) would give equal ciphertext.
    assert len({pieces()[1] for _ in range(50)}) == 50
    assert len({ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST).salt for _ in range(50)}) == 50


def test_nothing_follows_the_last_chunk() -> None:
    with pytest.raises(Malformed):
        opener().feed(b"".join(pieces()) + b"\0")
    sealer = ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST)
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


def test_the_longest_body_fits_and_no_longer_one_is_sealed() -> None:
    sealer, reader = ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST), opener()
    assert reader.feed(sealer.head + sealer.seal(bytes(MAX_CHUNK_BODY_BYTES), last=True)) == [
        bytes(MAX_CHUNK_BODY_BYTES)
    ]
    with pytest.raises(TooLarge):
        ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST).seal(bytes(MAX_CHUNK_BODY_BYTES + 1), last=True)


def test_one_token_looks_like_another_and_one_end_like_another() -> None:
    sealer = ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST)
    assert {len(sealer.seal(bytes(size), last=False)) for size in range(0, 252, 7)} == {5 + 256 + 16}
    ends = [ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST) for _ in range(0, 2044, 73)]
    assert {len(each.seal(bytes(at * 73), last=True)) for at, each in enumerate(ends)} == {5 + 2048 + 16}


def test_a_body_may_come_in_pieces() -> None:
    sealer, reader = ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST), opener()
    assert reader.feed(sealer.head + sealer.seal(b"one", b"", b" two", last=True)) == [b"one two"]


@pytest.mark.parametrize("fed", ["one by one", "in halves", "in one"])
def test_after_a_refusal_nothing_is_released(fed: str) -> None:
    head, *chunks = pieces()
    forged = chunks[0][:-1] + bytes([chunks[0][-1] ^ 1])
    reader = opener()
    reader.feed(head)
    if fed == "in halves":
        reader.feed(forged[:9])
    with pytest.raises(OpenFailed):
        reader.feed({"one by one": forged, "in halves": forged[9:], "in one": forged + b"".join(chunks)}[fed])
    for chunk in chunks:
        with pytest.raises(OpenFailed):
            reader.feed(chunk)
    with pytest.raises(OpenFailed):
        reader.finish()


def test_an_answer_with_something_behind_it_is_not_whole() -> None:
    reader = opener()
    with pytest.raises(Malformed):
        reader.feed(b"".join(pieces()) + b"\0")
    with pytest.raises(OpenFailed):
        reader.finish()


def test_a_body_too_long_uses_up_nothing() -> None:
    sealer, reader = ResponseSealer(SECRET, REQUEST, MEDIA_SEALED_STREAM, DIGEST), opener()
    with pytest.raises(TooLarge):
        sealer.seal(bytes(MAX_CHUNK_BODY_BYTES), b"x", last=True)
    assert reader.feed(sealer.head + sealer.seal(b"first", last=False)) == [b"first"]
