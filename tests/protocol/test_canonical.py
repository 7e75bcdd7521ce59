"""Strict CBOR: one encoding per value, nothing else accepted."""

import cbor2
import pytest

from strongroom.protocol import canonical
from strongroom.protocol.errors import Malformed
from strongroom.protocol.payloads import ChatTask, InferTask, Message, Request
from strongroom.protocol.tensors import Tensor

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


@pytest.mark.parametrize("name", ["max_tokens", "temperature", "top_p", "seed"])
def test_a_default_is_written_out(name: str) -> None:
    task = cbor2.loads(ENCODED)["task"]
    assert encoded_with(task) == ENCODED
    del task[name]
    with pytest.raises(Malformed, match="another encoding"):
        canonical.decode(encoded_with(task), Request, "request")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_temperature_is_a_float_in_the_encoding_too(number: int) -> None:
    task = cbor2.loads(ENCODED)["task"]
    canonical.decode(encoded_with(task | {"temperature": float(number)}), Request, "request")
    with pytest.raises(Malformed, match="another encoding"):
        canonical.decode(encoded_with(task | {"temperature": number}), Request, "request")


def test_the_largest_task_stays_below_the_limit_of_items() -> None:
    tensors = {f"{number:0128}": Tensor("float32", [1] * 8, b"\0" * 4) for number in range(64)}
    request = Request(secret=b"s" * 32, stream=False, task=InferTask(tensors=tensors))
    assert canonical.decode(canonical.encode(request), Request, "request") == request
