"""KMS envelopes: each clear part is bound, each inner field judged, nothing else opens (R7, R8)."""

import tracemalloc
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from strongroom.protocol import canonical, request_bodies
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.constants import MAX_REST_MS, MAX_SEALED_REQUEST_BYTES
from strongroom.protocol.envelopes import EnvelopeRequest, entry_id, read_envelope, seal_envelope
from strongroom.protocol.errors import Malformed, OpenFailed, ProtocolError, TooLarge, Unsupported
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import InferTask, Request, Rest
from strongroom.protocol.tensors import Tensor
from strongroom.protocol.ways import WayIn
from tests.protocol.sealed import (
    ARN,
    AT_MS,
    CONTEXT,
    DATA_KEY,
    DAY_MS,
    ENTRY,
    ID,
    KEY_ID,
    LIVE,
    MODEL,
    RESTING,
    WRAPPED,
    envelope_message,
    head,
    padded,
)


def seal(request: Request = RESTING, wrapped: bytes = WRAPPED, data_key: bytes = DATA_KEY) -> bytes:
    return seal_envelope(
        request,
        data_key=data_key,
        wrapped=wrapped,
        arn=ARN,
        context=CONTEXT,
        request_id=ID,
        at_ms=AT_MS,
        model=MODEL,
    )


def open_(message: bytes) -> Request:
    return read_envelope(message).open(DATA_KEY, ARN, CONTEXT)


BODY = canonical.encode(RESTING)


def test_round_trip() -> None:
    envelope = read_envelope(seal())
    assert envelope.head == SealedRequestHead(WayIn.KMS_ENVELOPE, KEY_ID, ID, AT_MS, MODEL)
    assert envelope.wrapped == WRAPPED
    assert envelope.open(DATA_KEY, ARN, CONTEXT) == RESTING


@given(wrapped=st.binary(min_size=1, max_size=6144), context=st.dictionaries(st.text(), st.text(), max_size=8))
def test_any_wrapped_key_and_any_context(wrapped: bytes, context: dict[str, str]) -> None:
    message = seal_envelope(
        RESTING, data_key=DATA_KEY, wrapped=wrapped, arn=ARN, context=context, request_id=ID, at_ms=AT_MS, model=MODEL
    )
    envelope = read_envelope(message)
    assert (envelope.wrapped, envelope.head.key_id) == (wrapped, entry_id(ARN, context))
    assert envelope.open(DATA_KEY, ARN, dict(reversed(context.items()))) == RESTING


def test_the_bytes_are_those_of_the_protocol_page() -> None:
    assert open_(envelope_message(padded(BODY))) == RESTING
    assert canonical.encode([ARN, CONTEXT]) == ENTRY
    assert entry_id(ARN, CONTEXT) == KEY_ID
    message = seal()
    assert message[: len(head(3, KEY_ID))] == head(3, KEY_ID)
    assert len(message) == len(envelope_message(padded(BODY)))


def test_the_key_id_is_that_of_a_configured_entry() -> None:
    entry = KeyEntry("requests", "request", "acme", ARN)
    assert entry_id(entry.arn, entry.fixed_context) == KEY_ID


def test_one_data_key_never_repeats_a_key_and_nonce() -> None:
    sealed = [read_envelope(seal()) for _ in range(50)]
    assert len({each.salt for each in sealed}) == len({each.ciphertext for each in sealed}) == 50


def test_the_prompt_is_not_in_the_message() -> None:
    assert b"CANARY" not in seal()
    assert b"CANARY" not in repr(read_envelope(seal())).encode()


OTHER = b"x" * 32
GOOD = read_envelope(envelope_message(padded(BODY)))
SWAPS: dict[str, EnvelopeRequest] = {
    "suite": replace(GOOD, head=structs.replace(GOOD.head, suite=WayIn.XWING)),
    "key id": replace(GOOD, head=structs.replace(GOOD.head, key_id=OTHER)),
    "request id": replace(GOOD, head=structs.replace(GOOD.head, request_id=b"j" * 16)),
    "timestamp": replace(GOOD, head=structs.replace(GOOD.head, timestamp_ms=AT_MS + 1)),
    "model": replace(GOOD, head=structs.replace(GOOD.head, model="other")),
    "salt": replace(GOOD, salt=OTHER),
    "wrapped key": replace(GOOD, wrapped=b"another data key"),
}


@pytest.mark.parametrize("name", SWAPS)
def test_what_is_swapped_alone_does_not_open(name: str) -> None:
    assert GOOD.open(DATA_KEY, ARN, CONTEXT) == RESTING
    with pytest.raises(OpenFailed):
        SWAPS[name].open(DATA_KEY, ARN, CONTEXT)


@pytest.mark.parametrize(
    ("data_key", "arn", "context"),
    [
        (OTHER, ARN, CONTEXT),
        (DATA_KEY, ARN.replace("1111", "9999"), CONTEXT),
        (DATA_KEY, ARN, {**CONTEXT, "tenant": "other"}),
        (DATA_KEY, ARN, {**CONTEXT, "purpose": "model"}),
        (DATA_KEY, ARN, {"purpose": "request"}),
    ],
)
def test_another_key_or_entry_does_not_open(data_key: bytes, arn: str, context: dict[str, str]) -> None:
    with pytest.raises(OpenFailed):
        GOOD.open(data_key, arn, context)


@pytest.mark.parametrize("context", [{**CONTEXT, "tenant": "other"}, {"purpose": "request"}])
def test_the_entry_is_bound_by_the_seal_too_not_by_the_key_id_alone(context: dict[str, str]) -> None:
    renamed = replace(GOOD, head=structs.replace(GOOD.head, key_id=entry_id(ARN, context)))
    with pytest.raises(OpenFailed):
        renamed.open(DATA_KEY, ARN, context)


def test_a_head_that_does_not_name_the_entry_is_refused_whoever_sealed_it() -> None:
    with pytest.raises(OpenFailed):
        open_(envelope_message(padded(BODY), front=head(3, OTHER)))


@pytest.mark.parametrize("constant", ["MEDIA_SEALED_REQUEST", "PATH_SEALED"])
def test_another_media_type_or_path_does_not_open(monkeypatch: pytest.MonkeyPatch, constant: str) -> None:
    message = seal()
    monkeypatch.setattr(request_bodies, constant, "other")
    with pytest.raises(OpenFailed):
        open_(message)


def test_every_altered_byte_is_refused() -> None:
    message = seal()
    clear = len(message) - len(read_envelope(message).ciphertext)
    for position in [*range(clear), *range(clear, len(message), 37), len(message) - 1]:
        altered = bytearray(message)
        altered[position] ^= 1
        with pytest.raises(ProtocolError):
            open_(bytes(altered))


def test_every_prefix_is_refused() -> None:
    message = seal()
    clear = len(message) - len(read_envelope(message).ciphertext)
    for end in [*range(clear + 20), len(message) - 1]:
        with pytest.raises((Malformed, OpenFailed)):
            open_(message[:end])


def plain(**changes: object) -> bytes:
    """A sealed body whose map has these members instead; None takes one out."""
    value = {**msgspec.to_builtins(RESTING, builtin_types=(bytes,)), **changes}
    kept = {name: each for name, each in value.items() if each is not None}
    return envelope_message(padded(canonical.encode(kept)))


def rest(**changes: object) -> bytes:
    """A sealed body whose `rest` has these members instead."""
    return plain(rest={"not_after_ms": AT_MS + DAY_MS, "single_use": False} | changes)


FRONT = head(3, KEY_ID)
BAD: dict[str, tuple[type[ProtocolError], bytes]] = {
    "nothing": (Malformed, b""),
    "another magic": (Malformed, envelope_message(padded(BODY), front=head(3, KEY_ID, magic=b"SRW\1"))),
    "a later version": (Malformed, envelope_message(padded(BODY), front=head(3, KEY_ID, magic=b"SRQ\2"))),
    "suite zero": (Unsupported, envelope_message(padded(BODY), front=head(0, KEY_ID))),
    "an unknown suite": (Unsupported, envelope_message(padded(BODY), front=head(4, KEY_ID))),
    "an HPKE suite": (Malformed, envelope_message(padded(BODY), front=head(1, KEY_ID))),
    "a model id in upper case": (Malformed, envelope_message(padded(BODY), front=head(3, KEY_ID, model=b"A"))),
    "no model id": (Malformed, envelope_message(padded(BODY), front=head(3, KEY_ID, model=b""))),
    "no salt": (Malformed, FRONT + b"t" * 31),
    "no length": (Malformed, FRONT + b"t" * 32 + b"\0"),
    "an empty wrapped key": (Malformed, envelope_message(padded(BODY), wrapped=b"")),
    "a wrapped key of 6,145 bytes": (Malformed, envelope_message(padded(BODY), wrapped=b"w" * 6145)),
    "a wrapped key cut short": (Malformed, FRONT + b"t" * 32 + b"\0\x10" + WRAPPED[:-1]),
    "no ciphertext": (OpenFailed, FRONT + b"t" * 32 + b"\0\x10" + WRAPPED),
    "half a tag": (OpenFailed, FRONT + b"t" * 32 + b"\0\x10" + WRAPPED + b"8bytes.."),
    "a byte behind": (OpenFailed, envelope_message(padded(BODY)) + b"\0"),
    "too many bytes": (TooLarge, envelope_message(padded(BODY)).ljust(MAX_SEALED_REQUEST_BYTES + 1, b"\0")),
    "an empty plaintext": (Malformed, envelope_message(b"")),
    "no padding": (Malformed, envelope_message(BODY)),
    "a length of 2^32 - 1": (Malformed, envelope_message(b"\xff\xff\xff\xff" + BODY)),
    "padding that is not zero": (Malformed, envelope_message(padded(BODY)[:-1] + b"\1")),
    "another body bucket": (Malformed, envelope_message(padded(BODY, 2048))),
    "a body in another order": (Malformed, envelope_message(padded(b"\xa1\x61b\0\x61a\0"))),
    "no rest": (Malformed, envelope_message(padded(canonical.encode(LIVE)))),
    "a rest of null": (Malformed, envelope_message(padded(BODY[:1] + b"\x64rest\xf6" + BODY[6:]))),
    "a short secret": (Malformed, plain(secret=b"s" * 31)),
    "no secret": (Malformed, plain(secret=None)),
    "an unknown member": (Malformed, plain(extra=1)),
    "not after the moment of sealing": (Malformed, rest(not_after_ms=AT_MS)),
    "beyond 400 days": (Malformed, rest(not_after_ms=AT_MS + MAX_REST_MS + 1)),
    "a negative time": (Malformed, rest(not_after_ms=-1)),
    "a time of more than 2^53": (Malformed, rest(not_after_ms=1 << 53)),
    "a time as text": (Malformed, rest(not_after_ms="1700000000001")),
    "single use as a number": (Malformed, rest(single_use=1)),
    "an unknown member of rest": (Malformed, rest(extra=1)),
}


@pytest.mark.parametrize("name", BAD)
def test_other_bytes_are_refused(name: str) -> None:
    kind, message = BAD[name]
    with pytest.raises(ProtocolError) as caught:
        open_(message)
    assert type(caught.value) is kind
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("span_ms", [1, MAX_REST_MS])
def test_the_bounds_of_not_after_are_inside(span_ms: int) -> None:
    request = structs.replace(RESTING, rest=Rest(AT_MS + span_ms, single_use=False))
    assert open_(seal(request)) == request


@pytest.mark.parametrize("not_after_ms", [0, AT_MS, AT_MS + MAX_REST_MS + 1])
def test_what_would_not_be_opened_is_not_sealed(not_after_ms: int) -> None:
    with pytest.raises(Malformed):
        seal(structs.replace(RESTING, rest=Rest(not_after_ms, single_use=True)))
    with pytest.raises(Malformed):
        seal(LIVE)


@pytest.mark.parametrize("wrapped", [b"", b"w" * 6145])
def test_a_wrapped_key_out_of_bounds_is_not_sealed(wrapped: bytes) -> None:
    with pytest.raises(Malformed):
        seal(wrapped=wrapped)


@pytest.mark.parametrize("data_key", [b"", b"d" * 16, b"d" * 31, b"d" * 33])
def test_a_data_key_of_another_length_is_refused(data_key: bytes) -> None:
    with pytest.raises(Malformed, match="32 bytes"):
        seal(data_key=data_key)
    with pytest.raises(Malformed, match="32 bytes"):
        GOOD.open(data_key, ARN, CONTEXT)


def test_the_limit_is_on_the_sealed_bytes() -> None:
    tensor = Tensor("uint8", [MAX_SEALED_REQUEST_BYTES], bytes(MAX_SEALED_REQUEST_BYTES))
    with pytest.raises(TooLarge):
        seal(structs.replace(RESTING, task=InferTask(tensors={"x": tensor})))


def test_a_message_above_the_limit_is_refused_before_it_is_copied() -> None:
    message = seal().ljust(MAX_SEALED_REQUEST_BYTES + 1, b"\0")
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read_envelope(message)
        assert tracemalloc.get_traced_memory()[1] < 64 << 10
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=300), st.integers(0, 400))
def test_mutants_raise_protocol_errors_alone(noise: bytes, at: int) -> None:
    message = envelope_message(padded(BODY))
    with pytest.raises(ProtocolError):
        open_(message[:at] + noise + b"\xaa" + message[at + len(noise) + 1 :])
