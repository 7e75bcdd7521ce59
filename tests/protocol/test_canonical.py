"""Strict CBOR: one encoding per value, nothing else accepted."""

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol import canonical
from strongroom.protocol.canonical_pieces import pieces_of
from strongroom.protocol.errors import Malformed
from strongroom.protocol.payloads import (
    Alternative,
    ChatTask,
    Description,
    Embeddings,
    Event,
    Failure,
    GenerationEnd,
    InferTask,
    Message,
    Outputs,
    Receipt,
    Request,
    Rest,
    Scores,
    Span,
    Tags,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.tensors import Port, Tensor
from tests.protocol.vectors.tasks import DEFAULTS

REQUEST = Request(secret=b"s" * 32, stream=True, task=ChatTask(messages=[Message("user", "hi")], temperature=0.5))
ENCODED = canonical.encode(REQUEST)


def test_round_trip() -> None:
    assert canonical.decode(ENCODED, Request, "request") == REQUEST


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ENCODED[:-1],
        ENCODED + b"\0",
        b"\xff",
        b"\xbf\xff",
        b"\xa1\x18\x01\x01",  # a head that is not the shortest
        b"\xa2aa\x01aa\x02",  # a key twice
        b"\x9b" + b"\xff" * 8,  # a list of 2^64 - 1
        b"\x5b" + b"\xff" * 8,
        b"\x81" * 5000,
        b"\x99\x40\x00" + b"\x80" * 0x4000,  # 16,384 empty lists
        b"\xc1\x00",  # a date
        b"\xd8\x23\x61(",  # a pattern
        b"\xd9\xd9\xf7" + ENCODED,
        cbor2.dumps({"secret": b"s" * 32, "task": {"task": "chat"}, "stream": True}),  # another order
        cbor2.dumps({1: 2}, canonical=True),
        b"\x5a\xff\xff\xff\xff",  # a string of 2^32 - 1 bytes, then nothing
        b"\x9a\xff\xff\xff\xff",
        b"\xba\xff\xff\xff\xff",
        cbor2.dumps(cbor2.undefined),
    ],
)
def test_other_bytes_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        canonical.decode(data, Request, "request")


@pytest.mark.parametrize(
    "change",
    [
        {"CANARY": 1},
        {"secret": b"short"},
        {"secret": "t" * 32},
        {"stream": 1},
        {"task": {"task": "CANARY"}},
        {"task": {"task": "chat", "messages": []}},
        {"task": {"task": "chat", "messages": [{"role": "CANARY", "content": "x"}]}},
        {"task": {"task": "chat", "messages": [{"role": "user", "content": "x" * 70_000}]}},
        {"task": {"task": "chat", "messages": [{"role": "user", "content": "x"}], "max_tokens": 0}},
        {"task": {"task": "chat", "messages": [{"role": "user", "content": "x"}], "temperature": float("nan")}},
        {"task": {"task": "chat", "messages": [{"role": "user", "content": "x"}], "seed": 1 << 70}},
        {"task": {"task": "infer", "tensors": {}}},
        {"task": {"task": "infer", "tensors": {"x": {"dtype": "CANARY", "shape": [], "data": b""}}}},
    ],
)
def test_a_value_outside_the_schema_is_malformed_and_not_quoted(change: dict[str, object]) -> None:
    value = cbor2.loads(ENCODED) | change
    with pytest.raises(Malformed) as caught:
        canonical.decode(cbor2.dumps(value, canonical=True), Request, "request")
    assert "CANARY" not in str(caught.value)


def test_a_body_of_very_many_items_is_refused_without_decoding_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cbor2, "loads", None)
    with pytest.raises(Malformed, match="at most"):
        canonical.decode(b"\x9a\x00\x10\x00\x00" + b"\x80" * (1 << 20), Request, "request")


@pytest.mark.parametrize("head", [0x5A, 0x7A, 0x9A, 0xBA])
def test_nothing_is_allocated_for_a_length_of_2_to_the_32(monkeypatch: pytest.MonkeyPatch, head: int) -> None:
    monkeypatch.setattr(cbor2, "loads", None)
    with pytest.raises(Malformed, match="beginning"):
        canonical.decode(bytes([head]) + b"\xff" * 4 + b"x" * 1000, Request, "request")


def encoded_with(task: dict[str, object]) -> bytes:
    return cbor2.dumps({"secret": b"s" * 32, "stream": True, "task": task}, canonical=True)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_is_left_out(name: str) -> None:
    task = cbor2.loads(ENCODED)["task"]
    assert encoded_with(task) == ENCODED
    with pytest.raises(Malformed, match="another encoding"):
        canonical.decode(encoded_with(task | {name: DEFAULTS[name]}), Request, "request")


@pytest.mark.parametrize("number", [1, 2])
def test_a_temperature_is_a_float_in_the_encoding_too(number: int) -> None:
    task = cbor2.loads(ENCODED)["task"]
    canonical.decode(encoded_with(task | {"temperature": float(number)}), Request, "request")
    with pytest.raises(Malformed, match="another encoding"):
        canonical.decode(encoded_with(task | {"temperature": number}), Request, "request")


def test_a_negative_zero_is_the_default_too() -> None:
    with pytest.raises(Malformed, match="another encoding"):
        canonical.decode(encoded_with(cbor2.loads(ENCODED)["task"] | {"temperature": -0.0}), Request, "request")


def test_the_largest_task_stays_below_the_limit_of_items() -> None:
    tensors = {f"{number:0128}": Tensor("float32", [1] * 8, b"\0" * 4) for number in range(64)}
    request = Request(secret=b"s" * 32, stream=False, task=InferTask(tensors=tensors))
    assert canonical.decode(canonical.encode(request), Request, "request") == request


LONG = [b"a" * 5000, b"b" * 5000]


def infer(*contents: bytes) -> Request:
    tensors = {f"x{number}": Tensor("uint8", [len(data)], data) for number, data in enumerate(contents)}
    return Request(secret=b"s" * 32, stream=False, task=InferTask(tensors=tensors))


@pytest.mark.parametrize("sizes", [(4096,), (4097,), (4097, 10, 1 << 16), (70_000, 70_000), (1 << 20, 0, 4097)])
def test_long_strings_come_back(sizes: tuple[int, ...]) -> None:
    request = infer(*(bytes([number]) * size for number, size in enumerate(sizes)))
    for data in (canonical.encode(request), memoryview(canonical.encode(request))):
        assert canonical.decode(data, Request, "request") == request


def cut(*heads: bytes) -> bytes:
    """Two long strings, with these heads in place of their own."""
    first, second = (b"\x59\x13\x88" + content for content in LONG)
    data = canonical.encode(infer(*LONG))
    return data.replace(first, heads[0] + LONG[0]).replace(second, heads[1] + LONG[1])


@pytest.mark.parametrize(
    "heads",
    [
        (b"\x5a\x00\x00\x13\x88", b"\x59\x13\x88"),  # a length in four bytes
        (b"\x59\x13\x88", b"\x5b\x00\x00\x00\x00\x00\x00\x13\x88"),
        (b"\x79\x13\x88", b"\x59\x13\x88"),  # text
        (b"\xc4\x59\x13\x88", b"\x59\x13\x88"),  # a tag
        (b"\xd9\xff\xff\xf6", b"\x59\x13\x88"),  # what stands in for a long string inside
        (b"\x5f\x59\x13\x88", b"\x59\x13\x88"),  # of indefinite length
        (b"\x59\x13\x87", b"\x59\x13\x88"),  # a byte too few, too many
        (b"\x59\x13\x89", b"\x59\x13\x88"),
        (b"\x59\x13\x88", b"\x59\xff\xff"),
    ],
    ids=lambda heads: heads[0].hex() + " " + heads[1].hex(),
)
def test_a_long_string_has_one_head(heads: tuple[bytes, bytes]) -> None:
    assert cut(b"\x59\x13\x88", b"\x59\x13\x88") == canonical.encode(infer(*LONG))
    with pytest.raises(Malformed):
        canonical.decode(cut(*heads), Request, "request")


@pytest.mark.parametrize(
    "order",
    [("x1", "x0"), ("x0", "x0")],
    ids=" ".join,
)
def test_long_strings_in_another_order_are_another_encoding(order: tuple[str, str]) -> None:
    data = canonical.encode(infer(*LONG))
    swapped = data.replace(b"bx0", b"b__").replace(b"bx1", b"b" + order[1].encode())
    with pytest.raises(Malformed):
        canonical.decode(swapped.replace(b"b__", b"b" + order[0].encode()), Request, "request")


def test_a_stand_in_from_outside_takes_no_string() -> None:
    stand_in = b"\xd9\xff\xff\xf6"
    data = canonical.encode(infer(b"short", b"b" * 5000)).replace(b"\x45short", stand_in)
    assert stand_in in data
    with pytest.raises(Malformed):
        canonical.decode(data, Request, "request")


@pytest.mark.parametrize("byte", range(0, 10_200, 97))
def test_a_long_string_is_what_is_there(byte: int) -> None:
    data = bytearray(canonical.encode(infer(*LONG)))
    byte %= len(data)
    data[byte] ^= 1
    try:
        other = canonical.decode(bytes(data), Request, "request")
    except Malformed:
        return
    assert canonical.encode(other) == data


def test_a_byte_string_is_not_copied_before_it_is_joined() -> None:
    content = bytes(10_000)
    assert any(piece is content for piece in pieces_of(infer(content)))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text() | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=300), inner, max_size=30),
    max_leaves=40,
)


@given(PLAIN)
def test_pieces_are_the_canonical_encoding_of_cbor2(value: object) -> None:
    assert b"".join(pieces_of(value)) == cbor2.dumps(value, canonical=True)


TASK = ChatTask(messages=[Message("system", "é" * 300)], seed=(1 << 63) - 1, temperature=0.1, stop=["."], logprobs=0)
LOGPROB = TokenLogprob(b"\xf0", -0.5, [Alternative(b"", -9999.0)])
EVENTS: list[list[Event]] = [
    [TextDelta(""), TextDelta("", [LOGPROB])],
    [Scores(["a"], Tensor("float32", [0, 1], b"")), Tags([[], [Span(0, 1, "x", 0.5)]])],
    [GenerationEnd("stop", 1 << 33, 24), Receipt(b"r" * 256)],
    [Embeddings(Tensor("float32", [0, 1], b""), 24)],
    [Description("1", "infer", [Port("x", "bool", ["n", None, 4])], [])],
    [Failure("busy", "x" * 512, None), Failure("busy", "", "m")],
    [
        Outputs(
            {"b": Tensor("int8", [], b""), "aa": Tensor("bool", [1, 65536], b"1" * 65536), "": Tensor("int8", [], b"")}
        )
    ],
]


@pytest.mark.parametrize(
    "value",
    [REQUEST, infer(*LONG), TASK, Request(b"s" * 32, True, TASK, Rest(5, single_use=False)), *EVENTS],
    ids=lambda value: type(value).__name__,
)
def test_structs_are_what_msgspec_and_cbor2_make_of_them(value: object) -> None:
    plain = msgspec.to_builtins(value, builtin_types=(bytes,))
    assert canonical.encode(value) == cbor2.dumps(plain, canonical=True)


@pytest.mark.parametrize("value", [{1, 2}, object(), [b"x", bytearray(b"x")]], ids=["set", "object", "bytearray"])
def test_what_the_protocol_has_no_form_for(value: object) -> None:
    with pytest.raises(TypeError):
        pieces_of(value)
