"""Sealed requests: whatever is altered, or sealed for another key or context, does not open."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from strongroom.protocol import canonical, request_bodies
from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES
from strongroom.protocol.errors import Malformed, OpenFailed, ProtocolError, TooLarge, Unsupported
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.messages import MAX_REQUEST_HEAD_BYTES, SealedRequestHead
from strongroom.protocol.payloads import InferTask, Request
from strongroom.protocol.requests import RequestOpener, seal_request
from strongroom.protocol.suites import KEMKeyPair, Suite, load_public_key
from strongroom.protocol.tensors import Tensor
from strongroom.protocol.ways import WayIn
from tests.protocol.sealed import AT_MS, ID, LIVE, MODEL, RESTING, head, hpke_message, opener, padded

HEAD_BYTES = 63 + len(MODEL)
BODY = canonical.encode(LIVE)


def seal(key: RequestOpener, request: Request = LIVE) -> bytes:
    return seal_request(request, key.configuration, request_id=ID, at_ms=AT_MS, model=MODEL)


@pytest.mark.parametrize("suite", list(Suite))
def test_round_trip(suite: Suite) -> None:
    key = opener(suite)
    front, request = key.open(seal(key))
    assert front == SealedRequestHead(suite.way_in, key.configuration.key_id, ID, AT_MS, MODEL)
    assert request == LIVE


@pytest.mark.parametrize("suite", list(Suite))
def test_the_bytes_are_those_of_the_protocol_page(suite: Suite) -> None:
    key = opener(suite)
    assert key.open(hpke_message(padded(BODY), key))[1] == LIVE
    message = seal(key)
    assert message[:HEAD_BYTES] == head(suite, key.configuration.key_id)
    assert len(message) == HEAD_BYTES + (1120 if suite is Suite.XWING else 32) + 1024 + 16


def test_the_prompt_is_not_in_the_message() -> None:
    assert b"CANARY" not in seal(opener())


@pytest.mark.parametrize("suite", list(Suite))
def test_every_altered_byte_is_refused(suite: Suite) -> None:
    key = opener(suite)
    message = seal(key)
    head_and_enc = HEAD_BYTES + (1120 if suite is Suite.XWING else 32)
    positions = [*range(HEAD_BYTES), *range(HEAD_BYTES, head_and_enc, 37), head_and_enc, len(message) - 1]
    for position in positions:
        altered = bytearray(message)
        altered[position] ^= 1
        with pytest.raises(ProtocolError):
            key.open(bytes(altered))


@pytest.mark.parametrize("cut", [0, 1, 4, 62, 63, 75, 100, -1, -17])
def test_a_cut_message_is_refused(cut: int) -> None:
    key = opener()
    with pytest.raises(ProtocolError):
        key.open(seal(key)[:cut])


def test_another_key_does_not_open() -> None:
    with pytest.raises(OpenFailed):
        opener(seed=b"x" * 32).open(seal(opener()))


def test_a_renamed_key_does_not_open() -> None:
    other = opener(seed=b"x" * 32)
    front, size = SealedRequestHead.read(message := seal(opener()))
    renamed = structs.replace(front, key_id=other.configuration.key_id).to_bytes() + message[size:]
    with pytest.raises(OpenFailed):
        other.open(renamed)


@pytest.mark.parametrize(
    "change",
    [
        {"suite": WayIn.X25519},
        {"suite": WayIn.KMS_ENVELOPE},
        {"key_id": b"x" * 32},
        {"request_id": b"j" * 16},
        {"timestamp_ms": AT_MS + 1},
        {"model": "other"},
    ],
    ids=str,
)
def test_what_is_swapped_alone_does_not_open(change: dict[str, object]) -> None:
    key = opener()
    front, size = SealedRequestHead.read(message := seal(key))
    swapped = structs.replace(front, **change)
    with pytest.raises(OpenFailed):
        key.open(swapped.to_bytes() + message[size:])


@pytest.mark.parametrize(("suite", "key_id"), [(1, b"x" * 32), (2, None), (3, None)])
def test_a_head_that_does_not_name_the_key_is_refused_whoever_sealed_it(suite: int, key_id: bytes | None) -> None:
    key = opener()
    with pytest.raises(OpenFailed):
        key.open(hpke_message(padded(BODY), key, head(suite, key_id or key.configuration.key_id)))


@pytest.mark.parametrize("constant", ["MEDIA_SEALED_REQUEST", "PATH_SEALED"])
def test_another_media_type_or_path_does_not_open(monkeypatch: pytest.MonkeyPatch, constant: str) -> None:
    key = opener()
    message = seal(key)
    monkeypatch.setattr(request_bodies, constant, "other")
    with pytest.raises(OpenFailed):
        key.open(message)


@pytest.mark.parametrize("suite", [0, 4, 7, 0x647A, 0xFFFF])
def test_an_unknown_suite_is_unsupported(suite: int) -> None:
    message = bytearray(seal(opener()))
    message[4:6] = suite.to_bytes(2, "big")
    with pytest.raises(Unsupported):
        opener().open(bytes(message))


BAD_PLAINTEXT = {
    "nothing": b"",
    "no padding": BODY,
    "a length of 2^32 - 1": b"\xff\xff\xff\xff" + BODY,
    "padding that is not zero": padded(BODY)[:-1] + b"\1",
    "another body bucket": padded(BODY, 2048),
    "not CBOR": padded(b"\xff"),
    "a body with rest": padded(canonical.encode(RESTING)),
    "a body with a rest of null": padded(b"\xa4\x64rest\xf6" + BODY[1:]),
    "no task": padded(canonical.encode({"secret": b"s" * 32, "stream": False})),
    "a string of 2^32 - 1": padded(BODY[:1] + b"\x7a\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("name", BAD_PLAINTEXT)
def test_another_plaintext_is_malformed(name: str) -> None:
    key = opener(Suite.X25519)
    with pytest.raises(Malformed):
        key.open(hpke_message(BAD_PLAINTEXT[name], key))


def test_a_request_that_may_rest_is_not_sealed_to_a_live_enclave() -> None:
    with pytest.raises(Malformed, match="rest"):
        seal(opener(), RESTING)


def test_a_request_above_the_limit_is_not_sealed() -> None:
    tensor = Tensor("uint8", [MAX_SEALED_REQUEST_BYTES], b"\0" * MAX_SEALED_REQUEST_BYTES)
    with pytest.raises(TooLarge):
        seal(opener(), structs.replace(LIVE, task=InferTask(tensors={"x": tensor})))


def test_a_large_request_opens() -> None:
    key, size = opener(), MAX_SEALED_REQUEST_BYTES - (128 << 10)
    request = structs.replace(LIVE, task=InferTask(tensors={"x": Tensor("uint8", [size], bytes(size))}))
    assert key.open(seal(key, request))[1] == request


def test_a_message_above_the_limit_is_refused_before_it_is_copied() -> None:
    key = opener()
    message = seal(key).ljust(MAX_SEALED_REQUEST_BYTES + 1, b"\0")
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            key.open(message)
        assert tracemalloc.get_traced_memory()[1] < 64 << 10
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("model", [b"", b"UPPER", b"../x", b"a b", b"-x", b"x" * 65])
def test_a_head_with_another_model_id_is_malformed(model: bytes) -> None:
    with pytest.raises(Malformed):
        SealedRequestHead.read(head(1, b"k" * 32, model=model))


HEADS = st.builds(
    SealedRequestHead,
    st.sampled_from(WayIn),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
    st.integers(0, (1 << 64) - 1),
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
)


@given(HEADS, st.binary(max_size=8))
def test_a_head_has_one_encoding(front: SealedRequestHead, behind: bytes) -> None:
    data = front.to_bytes()
    assert SealedRequestHead.read(data + behind) == (front, len(data))
    assert len(data) <= MAX_REQUEST_HEAD_BYTES


def test_unknown_versions_and_suites_of_a_key_are_unsupported() -> None:
    data = opener(Suite.X25519).configuration.to_bytes()
    for bad in (b"\x02" + data[1:], data[:1] + b"\0\x09" + data[3:], data[:1] + b"\0\x03" + data[3:]):
        with pytest.raises(Unsupported):
            KeyConfiguration.from_bytes(bad)


def test_every_hpke_suite_is_a_way_in_and_a_kms_envelope_is_no_suite() -> None:
    assert {suite.way_in for suite in Suite} == set(WayIn) - {WayIn.KMS_ENVELOPE}
    assert [way.value for way in WayIn] == [1, 2, 3]
    with pytest.raises(Unsupported):
        Suite.from_id(WayIn.KMS_ENVELOPE)


def test_bad_public_keys_are_malformed() -> None:
    for suite, raw in [(Suite.X25519, b"x"), (Suite.XWING, b"x" * 32), (Suite.XWING, b"\xff" * 1216)]:
        with pytest.raises(Malformed):
            load_public_key(suite, raw)


def test_the_seed_fixes_the_pair_and_suites_share_no_component() -> None:
    xwing, x25519 = (KEMKeyPair.from_seed(suite, b"k" * 32).public for suite in Suite)
    assert xwing == KEMKeyPair.from_seed(Suite.XWING, b"k" * 32).public
    assert (len(xwing), len(x25519)) == (1216, 32)
    assert x25519 not in xwing
    with pytest.raises(Malformed):
        KEMKeyPair.from_seed(Suite.XWING, b"short")
