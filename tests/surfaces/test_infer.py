"""/v2/models/{model}/infer: numbers in JSON, bytes behind it."""

import json
import math
import struct
from typing import Any

import pytest

from strongroom.protocol.payloads import Event, InferTask, Outputs
from strongroom.protocol.tensors import ITEM_BYTES, Tensor
from strongroom.surfaces.oip.inputs import JSON_BYTES
from strongroom.surfaces.oip.numbers import DATATYPES, DTYPES, pack, unpack
from strongroom.surfaces.refusals import Refused
from tests.surfaces.translating import INFER, refused, told, whole

X: dict[str, Any] = {"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 2.5]}
RAW = struct.pack("<2f", 1, 2.5)


def tensors(*inputs: dict[str, Any], binary: bytes = b"") -> dict[str, Tensor]:
    task = whole(INFER, *with_bytes({"inputs": list(inputs)}, binary)).task
    assert isinstance(task, InferTask)
    return task.tensors


def with_bytes(body: dict[str, object], binary: bytes) -> tuple[bytes, dict[str, str]]:
    head = json.dumps(body).encode()
    return head + binary, {JSON_BYTES: str(len(head))} if binary else {}


def test_every_dtype_of_the_protocol_has_a_datatype() -> None:
    assert set(DATATYPES) == set(ITEM_BYTES)


@pytest.mark.parametrize("datatype", DTYPES)
def test_numbers_go_there_and_back(datatype: str) -> None:
    dtype = DTYPES[datatype]
    values = [True, False] if dtype == "bool" else [1, 0]
    tensor = Tensor(dtype, [2], pack(dtype, values, [2]))  # type: ignore[arg-type]  # a name of DTYPES
    tensor.check()
    assert unpack(tensor) == values


def test_data_may_be_nested_or_flat_or_bytes() -> None:
    expected = Tensor("float32", [2, 1], RAW)
    assert tensors({**X, "shape": [2, 1], "data": [[1], [2.5]]}) == {"x": expected}
    assert tensors({**X, "shape": [2, 1]}) == {"x": expected}
    assert tensors({**X, "shape": [2, 0], "data": [[], []]}) == {"x": Tensor("float32", [2, 0], b"")}
    assert tensors({**X, "shape": [1] * 8, "data": [[[[[[[[1]]]]]]]]}) == {"x": Tensor("float32", [1] * 8, RAW[:4])}
    raw: dict[str, Any] = {"name": "x", "shape": [2, 1], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    assert tensors(raw, {**X, "name": "y"}, {**raw, "name": "z"}, binary=RAW + RAW) == {
        "x": expected, "y": Tensor("float32", [2], RAW), "z": expected,
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"datatype": "BYTES", "data": ["canary"]},
        {"datatype": "UINT64"},
        {"datatype": "fp32"},
        {"data": ["canary", 1]},
        {"data": [True, False]},
        {"data": "canary"},
        {"data": [[1], 2]},
        {"data": [[1], [2]]},
        {"data": [[1, 2]], "shape": [2, 1]},
        {"data": [[1, 2], [3, 4]], "shape": [4]},
        {"data": [[1, 2, 3], [4]], "shape": [2, 2]},
        {"data": [[1, 2, 3, 4], [5, 6, 7, 8]], "shape": [2, 2, 2]},
        {"data": [[], []], "shape": [0]},
        {"data": {"canary": 1}},
        {"data": [1]},
        {"data": [1, 1e300]},
        {"datatype": "INT8", "data": [1, 128]},
        {"datatype": "INT64", "data": [1, 1.5]},
        {"datatype": "INT64", "data": [1, 1 << 64]},
        {"datatype": "BOOL", "data": [1, 0]},
        {"datatype": "FP16", "data": [1, 70_000]},
        {"shape": [-2]},
        {"shape": [1 << 40]},
        {"shape": [1] * 9},
        {"shape": "canary"},
        {"name": 1},
        {"name": "x" * 129},
        {"canary": 1},
        {"parameters": {"shared_memory_region": "canary"}},
        {"parameters": {"binary_data_size": 8}},
        {"data": None},
        {"data": None, "parameters": {"binary_data_size": 8}},
        {"data": None, "parameters": {"binary_data_size": -1}},
        {"data": None, "parameters": {"binary_data_size": True}},
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_input_that_is_none_is_refused(change: dict[str, object]) -> None:
    assert refused(INFER, {"inputs": [{**X, **change}]}).status == 400


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": []},
        {"inputs": [X, X]},
        {"inputs": [1]},
        {"canary": 1},
        {"parameters": {"priority": 1}},
        {"parameters": {"binary_data_output": 1}},
        {"outputs": [{"name": "y", "parameters": {"classification": 1}}]},
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_request_that_is_none_is_refused(change: dict[str, object]) -> None:
    assert refused(INFER, {"inputs": [X], **change}).status == 400


@pytest.mark.parametrize("length", ["-1", "1e3", "9999", "x", "9" * 30, "²"], ids=str)
def test_a_length_that_is_none_is_refused(length: str) -> None:
    assert refused(INFER, {"inputs": [X]}, {JSON_BYTES: length}).status == 400


def test_bytes_that_no_input_announced_are_refused() -> None:
    assert refused(INFER, *with_bytes({"inputs": [X]}, b"canary")).status == 400


def test_bytes_that_were_announced_and_do_not_come_are_refused() -> None:
    raw = {**X, "data": None, "parameters": {"binary_data_size": 9}}
    assert refused(INFER, *with_bytes({"inputs": [raw]}, RAW)).status == 400


OUTPUTS = Outputs({"y": Tensor("float32", [2], RAW), "z": Tensor("int8", [1], b"\xff")})


def test_outputs_as_numbers() -> None:
    body = told(whole(INFER, {"id": "mine", "inputs": [X]}).write([OUTPUTS]))
    assert body == {
        "model_name": "m",
        "id": "mine",
        "outputs": [
            {"name": "y", "datatype": "FP32", "shape": [2], "data": [1, 2.5]},
            {"name": "z", "datatype": "INT8", "shape": [1], "data": [-1]},
        ],
    }


def test_only_the_outputs_asked_for_in_their_order_some_as_bytes() -> None:
    wanted = [{"name": "z"}, {"name": "y", "parameters": {"binary_data": True}}]
    reply = whole(INFER, {"inputs": [X], "outputs": wanted}).write([OUTPUTS])
    end = int(reply.headers[JSON_BYTES])
    assert reply.body[end:] == RAW
    assert [output.get("data") for output in json.loads(reply.body[:end])["outputs"]] == [[-1], None]
    everything = whole(INFER, {"inputs": [X], "parameters": {"binary_data_output": True}}).write([OUTPUTS])
    assert everything.body[int(everything.headers[JSON_BYTES]) :] == RAW + b"\xff"


def test_an_output_that_the_model_has_not_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        whole(INFER, {"inputs": [X], "outputs": [{"name": "canary"}]}).write([OUTPUTS])
    assert (caught.value.status, caught.value.field) == (400, "outputs")
    assert "canary" not in str(caught.value)


def test_what_json_cannot_hold_is_refused_and_goes_as_bytes() -> None:
    data = struct.pack("<f", math.inf)
    outputs: list[Event] = [Outputs({"y": Tensor("float32", [1], data)})]
    with pytest.raises(Refused, match="binary_data"):
        whole(INFER, {"inputs": [X]}).write(outputs)
    assert whole(INFER, {"inputs": [X], "parameters": {"binary_data_output": True}}).write(outputs).body.endswith(data)


@pytest.mark.parametrize(
    "events", [[], [OUTPUTS, OUTPUTS], [Outputs({"y": Tensor("float32", [3], RAW)})]], ids=["none", "two", "short"]
)
def test_what_is_no_answer_is_refused(events: list[Event]) -> None:
    with pytest.raises(Refused) as caught:
        whole(INFER, {"inputs": [X]}).write(events)
    assert caught.value.status == 403
