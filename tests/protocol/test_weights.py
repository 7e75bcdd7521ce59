"""Sealed weights: each chunk opens at its own place, under its own head, key and context, or not at all."""

import hashlib
import hmac

import cbor2
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import structs

from strongroom.protocol.errors import Malformed, OpenFailed
from strongroom.protocol.messages import (
    MAX_WEIGHTS_BYTES,
    MAX_WEIGHTS_HEAD_BYTES,
    MAX_WRAPPED_KEY_BYTES,
    WEIGHTS_CHUNK_BYTES,
    SealedWeightsHead,
)
from strongroom.protocol.weights import WeightsCipher, new_weights_head, seal_weights

KEY = b"d" * 32
ARN = "arn:aws:kms:eu-west-1:111122223333:key/1"
CONTEXT = {"purpose": "model", "tenant": "acme", "model": "tiny", "version": "1"}
PLAINTEXT = bytes(range(256)) * 10_000  # two whole chunks and a half
HEAD = new_weights_head("tiny", "1", len(PLAINTEXT), b"wrapped")
CIPHER = WeightsCipher(HEAD, KEY, ARN, CONTEXT)


def chunks_of(plaintext: bytes, cipher: WeightsCipher = CIPHER, step: int = 65_000) -> list[bytes]:
    """The sealed chunks of a plaintext that comes in pieces."""
    pieces = [plaintext[at : at + step] for at in range(0, len(plaintext), step)]
    head, *chunks = seal_weights(cipher, pieces)
    assert head == cipher.head.to_bytes()
    return chunks


CHUNKS = chunks_of(PLAINTEXT)


@pytest.mark.parametrize("size", [1, WEIGHTS_CHUNK_BYTES - 1, WEIGHTS_CHUNK_BYTES, WEIGHTS_CHUNK_BYTES + 1])
def test_round_trip_around_the_chunk_size(size: int) -> None:
    head = new_weights_head("tiny", "1", size, b"wrapped")
    cipher = WeightsCipher(head, KEY, ARN, CONTEXT)
    chunks = chunks_of(b"x" * size, cipher)
    assert len(chunks) == head.chunks
    assert b"".join(cipher.open(index, chunk) for index, chunk in enumerate(chunks)) == b"x" * size


def test_chunks_open_in_any_order() -> None:
    opened = {index: CIPHER.open(index, CHUNKS[index]) for index in (2, 0, 1)}
    assert opened[0] + opened[1] + opened[2] == PLAINTEXT


def hkdf(data_key: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256: 44 bytes."""
    secret = hmac.digest(salt, data_key, "sha256")
    first = hmac.digest(secret, info + b"\x01", "sha256")
    return (first + hmac.digest(secret, first + info + b"\x02", "sha256"))[:44]


def test_the_chunks_are_those_of_the_page() -> None:
    """docs/protocol.md, sealed weights, a second time."""
    head = b"SRW\x01\x04tiny\x011" + HEAD.salt + len(PLAINTEXT).to_bytes(8, "big") + b"\x00\x07wrapped"
    assert HEAD.to_bytes() == head
    wrapping = cbor2.dumps([ARN, CONTEXT], canonical=True)
    info = b"strongroom weights v1\x00" + hashlib.sha256(head).digest() + hashlib.sha256(wrapping).digest()
    material = hkdf(KEY, HEAD.salt, info)
    for counter, last in ((0, 0), (1, 0), (2, 1)):
        nonce = (int.from_bytes(material[32:], "big") ^ counter).to_bytes(12, "big")
        chunk = PLAINTEXT[counter << 20 : (counter + 1) << 20]
        aad = counter.to_bytes(8, "big") + bytes([last])
        assert CHUNKS[counter] == AESGCM(material[:32]).encrypt(nonce, chunk, aad)


def test_the_head_says_where_each_chunk_lies() -> None:
    assert HEAD.chunks == len(CHUNKS) == 3
    for first in range(3):
        for end in range(first + 1, 4):
            assert HEAD.segment_bytes(first, end) == sum(map(len, CHUNKS[first:end]))


def test_the_head_round_trips_and_names_its_length() -> None:
    data = HEAD.to_bytes()
    assert SealedWeightsHead.read(data + b"more") == (HEAD, len(data))
    assert SealedWeightsHead.from_bytes(data) == HEAD
    for bad in (b"", data[:-1], data + b"\0", b"SRW\x02" + data[4:], data[:4] + b"\0" + data[5:]):
        with pytest.raises(Malformed):
            SealedWeightsHead.from_bytes(bad)
    with pytest.raises(Malformed, match="lower-case"):
        SealedWeightsHead.from_bytes(data.replace(b"tiny", b"TINY"))


def test_the_largest_head_fits() -> None:
    head = SealedWeightsHead("m" * 64, "v" * 64, bytes(32), MAX_WEIGHTS_BYTES, bytes(MAX_WRAPPED_KEY_BYTES))
    assert len(head.to_bytes()) == MAX_WEIGHTS_HEAD_BYTES
    assert SealedWeightsHead.from_bytes(head.to_bytes()) == head


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"plaintext_bytes": 0}, "bytes of weights, got 0"),
        ({"plaintext_bytes": MAX_WEIGHTS_BYTES + 1}, "bytes of weights"),
        ({"plaintext_bytes": (1 << 64) - 1}, "bytes of weights"),
        ({"wrapped_key": b""}, "wrapped key"),
        ({"wrapped_key": bytes(MAX_WRAPPED_KEY_BYTES + 1)}, "wrapped key"),
    ],
)
def test_a_head_has_its_bounds(change: dict[str, int | bytes], match: str) -> None:
    with pytest.raises(Malformed, match=match):
        SealedWeightsHead.from_bytes(structs.replace(HEAD, **change).to_bytes())


@pytest.mark.parametrize("index", range(3))
def test_a_chunk_opens_at_its_own_place_only_and_whole(index: int) -> None:
    chunk = CHUNKS[index]
    for other in {0, 1, 2, 3} - {index}:
        with pytest.raises(OpenFailed):
            CIPHER.open(other, chunk)
    for bad in (b"", chunk[:15], chunk[:-1], chunk + b"\0", chunk[:-1] + bytes([chunk[-1] ^ 1])):
        with pytest.raises(OpenFailed):
            CIPHER.open(index, bad)


@pytest.mark.parametrize(
    "head",
    [
        structs.replace(HEAD, model="other"),
        structs.replace(HEAD, version="2"),
        structs.replace(HEAD, salt=b"x" * 32),
        structs.replace(HEAD, wrapped_key=b"another"),
        structs.replace(HEAD, plaintext_bytes=HEAD.plaintext_bytes + 1),
        structs.replace(HEAD, plaintext_bytes=HEAD.plaintext_bytes - 1),
        structs.replace(HEAD, plaintext_bytes=2 * WEIGHTS_CHUNK_BYTES),
    ],
)
def test_another_head_opens_nothing(head: SealedWeightsHead) -> None:
    cipher = WeightsCipher(head, KEY, ARN, CONTEXT)
    for index, chunk in enumerate(CHUNKS):
        with pytest.raises(OpenFailed):
            cipher.open(index, chunk)


@pytest.mark.parametrize(
    "cipher",
    [
        WeightsCipher(HEAD, b"e" * 32, ARN, CONTEXT),
        WeightsCipher(HEAD, KEY, ARN[:-1] + "2", CONTEXT),
        WeightsCipher(HEAD, KEY, ARN, CONTEXT | {"tenant": "other"}),
        WeightsCipher(HEAD, KEY, ARN, CONTEXT | {"purpose": "request"}),
        WeightsCipher(HEAD, KEY, ARN, CONTEXT | {"more": ""}),
        WeightsCipher(HEAD, KEY, ARN, {name: value for name, value in CONTEXT.items() if name != "tenant"}),
    ],
    ids=["data key", "KMS key", "tenant", "purpose", "another pair", "a pair less"],
)
def test_another_key_or_context_opens_nothing(cipher: WeightsCipher) -> None:
    for index, chunk in enumerate(CHUNKS):
        with pytest.raises(OpenFailed):
            cipher.open(index, chunk)


def test_the_order_of_the_context_does_not_matter() -> None:
    cipher = WeightsCipher(HEAD, KEY, ARN, dict(reversed(CONTEXT.items())))
    assert cipher.open(0, CHUNKS[0]) == PLAINTEXT[:WEIGHTS_CHUNK_BYTES]


@pytest.mark.parametrize("plaintext", [PLAINTEXT[:-1], PLAINTEXT + b"x", b""])
def test_a_plaintext_of_another_length_is_not_sealed(plaintext: bytes) -> None:
    with pytest.raises(ValueError, match=f"expected {len(PLAINTEXT)} bytes, got {len(plaintext)}"):
        chunks_of(plaintext)
