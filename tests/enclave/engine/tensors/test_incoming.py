"""What the process of a tensor model may say, and that nothing else is believed, waited for or allocated."""

import json
import tracemalloc
from collections.abc import Callable

import pytest

from enclave.engine.sessions import Port
from enclave.engine.tensors.incoming import MAX_HEAD_BYTES, Incoming, Lost, Result, opening, result
from enclave.engine.tensors.messages import Answer, Failed, Message, Outgrown, Ports, Refused, TensorHead
from strongroom.protocol.constants import MAX_CHUNK_BYTES
from strongroom.protocol.payloads import MAX_OUTPUTS, MAX_TENSORS

ANSWER = Answer(3, [TensorHead("y", "int16", [2, 3]), TensorHead("z", "bool", [])])
PARTS = [bytes(range(12)), b"\x01"]
WHOLE = ANSWER.to_bytes() + b"".join(PARTS)
PORT = Port("x", "tensor(float)", ("n", 3, None))


def headed(head: bytes) -> bytes:
    return len(head).to_bytes(4) + head


def said(*fields: object, **more: object) -> bytes:
    return headed(json.dumps(dict(*fields, **more)).encode())


def answer(*tensors: object, **more: object) -> bytes:
    return said({"is": "answer", "number": 1, "tensors": tensors} | more)


@pytest.mark.parametrize("step", [1, 2, 5, len(WHOLE)])
def test_a_message_is_whole_with_its_last_byte_in_whatever_pieces(step: int) -> None:
    reply = result()
    for at in range(0, len(WHOLE), step):
        assert not reply.is_whole
        reply.take(WHOLE[at : at + step])
    assert reply.is_whole
    assert reply.message() == (ANSWER, PARTS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (opening, Ports([PORT], [])),
        (opening, Refused()),
        (result, Answer(1, [])),
        (result, Failed(1, by_values=True)),
        (result, Outgrown(1, 1 << 40)),
    ],
    ids=["ports", "refused", "answer", "failed", "outgrown"],
)
def test_each_message_passes(make: Callable[[], Incoming[Message]], message: Message) -> None:
    reply = make()
    reply.take(message.to_bytes())
    assert reply.message() == (message, [])


def test_the_ports_of_every_graph_that_is_not_rejected_fit() -> None:
    port = Port("\x01" * 128, "tensor(float16)", ("\x01" * 128,) * 8)
    wordy = Port("ü" * 128, "tensor(float16)", ("ü" * 128,) * 8)
    reply = opening()
    reply.take(Ports([wordy] * MAX_TENSORS, [wordy] * MAX_OUTPUTS).to_bytes())
    assert reply.is_whole
    assert len(Ports([port] * MAX_TENSORS, [port] * MAX_OUTPUTS).to_bytes()) > MAX_HEAD_BYTES  # JSON escapes these


def take_in_pieces(reply: Incoming[Result], said: bytes) -> None:
    for at in range(0, len(said), 7):
        reply.take(said[at : at + 7])


LIES = {
    "no head": headed(b""),
    "a head of 4 GiB": b"\xff" * 4,
    "a head a byte too long": (MAX_HEAD_BYTES + 1).to_bytes(4),
    "no JSON": headed(b"nonsense"),
    "JSON of no message": headed(b"[]"),
    "two JSONs": headed(b'{"is": "failed", "number": 1, "by_values": true} {}'),
    "no UTF-8": headed(b'{"is": "answer", "number": 1, "tensors": [["\xff", "bool", []]]}'),
    "a lone surrogate": headed(b'{"is": "answer", "number": 1, "tensors": [["\\ud800", "bool", []]]}'),
    "endless nesting": headed(b"[" * 100_000),
    "a message of ours": said({"is": "cancel", "number": 1}),
    "an opening": said({"is": "refused"}),
    "an unknown kind": said({"is": "joke", "number": 1}),
    "no kind": said({"number": 1, "tensors": []}),
    "another field": answer(more=1),
    "no number": said({"is": "answer", "tensors": []}),
    "a negative number": answer(number=-1),
    "an endless number": headed(b'{"is": "outgrown", "number": 1, "size_bytes": ' + b"9" * 100_000 + b"}"),
    "a text for a number": answer(number="1"),
    "an unknown dtype": answer(["y", "complex64", [1]]),
    "onnxruntime's dtype": answer(["y", "tensor(float)", [1]]),
    "a negative size": answer(["y", "int8", [-1]]),
    "a size of 2^31 + 1": answer(["y", "int8", [0, (1 << 31) + 1]]),
    "nine dimensions": answer(["y", "int8", [1] * 9]),
    "a fourth of a head": answer(["y", "int8", [1], 1]),
    "half a head": answer(["y", "int8"]),
    "a byte more than an answer holds": answer(["y", "int8", [MAX_CHUNK_BYTES]], ["z", "int8", [1]]),
    "2^248 items": answer(["y", "float64", [1 << 31] * 8]),
    "more behind the head": Failed(1, by_values=True).to_bytes() + b"x",
    "more behind the parts": WHOLE + b"x",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_is_one_however_it_comes(lie: bytes) -> None:
    with pytest.raises(Lost):
        result().take(lie)
    with pytest.raises(Lost):
        take_in_pieces(result(), lie)


def test_ports_have_the_form_of_ports() -> None:
    for port in (["x"], ["x", "tensor(float)", [1.5]], ["x", 1, []], ["x", "tensor(float)", "n"], {"name": "x"}):
        with pytest.raises(Lost):
            opening().take(said({"is": "ports", "inputs": [port], "outputs": []}))


def test_what_is_only_announced_is_not_allocated() -> None:
    head = answer(["y", "int8", [MAX_CHUNK_BYTES]])
    tracemalloc.start()
    for prefix in (MAX_HEAD_BYTES.to_bytes(4), head):
        reply = result()
        reply.take(prefix)
        assert not reply.is_whole
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_message_that_did_not_come_is_none() -> None:
    with pytest.raises(Lost):
        result().message()
