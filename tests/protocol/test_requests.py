"""Sealed requests: whatever is altered, or sealed for another key or context, does not open."""

import pytest

from strongroom.protocol.constants import MAX_SEALED_REQUEST_BYTES
from strongroom.protocol.errors import Malformed, OpenFailed, ProtocolError, TooLarge, Unsupported
from strongroom.protocol.keys import KeyConfiguration
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import ChatTask, InferTask, Message, Request
from strongroom.protocol.requests import RequestOpener, seal_request
from strongroom.protocol.suites import KEMKeyPair, Suite, load_public_key
from strongroom.protocol.tensors import Tensor

REQUEST = Request(secret=b"s" * 32, stream=False, task=ChatTask(messages=[Message("user", "hello")]))
ID, AT_MS, MODEL = b"i" * 16, 1_700_000_000_000, "tiny-decoder"


def opener(suite: Suite = Suite.XWING, seed: bytes = b"k" * 32) -> RequestOpener:
    return RequestOpener(KEMKeyPair.from_seed(suite, seed))


def seal(key: RequestOpener, request: Request = REQUEST) -> bytes:
    return seal_request(request, key.configuration, request_id=ID, at_ms=AT_MS, model=MODEL)


@pytest.mark.parametrize("suite", list(Suite))
def test_round_trip(suite: Suite) -> None:
    key = opener(suite)
    head, request = key.open(seal(key))
    assert (head.request_id, head.timestamp_ms, head.model, head.suite) == (ID, AT_MS, MODEL, suite)
    assert request == REQUEST


def test_the_prompt_is_not_in_the_message() -> None:
    assert b"hello" not in seal(opener())


@pytest.mark.parametrize("suite", list(Suite))
def test_every_altered_byte_is_refused(suite: Suite) -> None:
    key = opener(suite)
    message = seal(key)
    head_and_enc = 63 + len(MODEL) + (1120 if suite is Suite.XWING else 32)
    positions = [*range(63 + len(MODEL)), *range(63 + len(MODEL), head_and_enc, 37), head_and_enc, len(message) - 1]
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


def test_a_rewritten_suite_does_not_open() -> None:
    key = opener()
    message = bytearray(seal(key))
    message[4:6] = Suite.X25519.to_bytes(2, "big")
    with pytest.raises(OpenFailed):
        key.open(bytes(message))
    message[4:6] = b"\0\7"
    with pytest.raises(Unsupported):
        key.open(bytes(message))


def test_a_request_above_the_limit_is_not_sealed() -> None:
    tensor = Tensor("uint8", [MAX_SEALED_REQUEST_BYTES], b"\0" * MAX_SEALED_REQUEST_BYTES)
    with pytest.raises(TooLarge):
        seal(opener(), Request(secret=b"s" * 32, stream=False, task=InferTask(tensors={"x": tensor})))


@pytest.mark.parametrize("model", [b"", b"UPPER", b"../x", b"a b", b"-x", b"x" * 65])
def test_a_head_with_another_model_id_is_malformed(model: bytes) -> None:
    head = SealedRequestHead(1, b"k" * 32, ID, AT_MS, "m").to_bytes()[:-2] + bytes([len(model)]) + model
    with pytest.raises(Malformed):
        SealedRequestHead.read(head)


def test_unknown_versions_and_suites_are_unsupported() -> None:
    data = opener(Suite.X25519).configuration.to_bytes()
    for bad in (b"\x02" + data[1:], data[:1] + b"\0\x09" + data[3:]):
        with pytest.raises(Unsupported):
            KeyConfiguration.from_bytes(bad)


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
