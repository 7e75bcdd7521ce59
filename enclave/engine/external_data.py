"""Refuse graphs that name data outside themselves.

An ONNX tensor can say that its data lies in another file (TensorProto.external_data, data_location: onnx.proto,
"external data"), and a line of CVEs reads the host's files that way (CVE-2022-25882, CVE-2024-27318, CVE-2025-51480).
This walks the protobuf wire format of the graph, looks at every place where a tensor can stand, and skips weights
without copying them. It is not a full parser: onnxruntime still judges the graph.
"""

from collections.abc import Iterator

from enclave.engine.errors import ModelRejected

_MAX_DEPTH = 64
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Message type → field number → type of the message in that field, where a tensor can stand below it."""

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of TensorProto


def refuse_external_data(graph: bytes) -> None:
    """Raise ModelRejected if a tensor of the serialised ModelProto has external data, or if it is no protobuf."""
    _walk(memoryview(graph), "model", 0)


def _walk(message: memoryview, kind: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ModelRejected(f"graph: expected at most {_MAX_DEPTH} nested messages, got more")
    children = _CHILDREN[kind]
    for number, body in _fields(message):
        if kind == "tensor" and number in (_EXTERNAL_DATA, _DATA_LOCATION) and body != 0:
            raise ModelRejected("graph: expected all weights inside the graph, got a tensor with external data")
        if number in children:
            if isinstance(body, int):
                raise ModelRejected(f"graph: expected a message in field {number}, got a number")
            _walk(body, children[number], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Each field's number with its bytes, or with its value where that is a varint."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(wire, 0)
        if wire == _LENGTH:
            length, at = _varint(message, at)
        elif not length:
            raise ModelRejected(f"graph: expected a wire type of onnx.proto, got {wire}")
        if length > len(message) - at:
            raise ModelRejected(f"graph: expected {length} bytes in field {number}, got {len(message) - at}")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise ModelRejected("graph: expected a varint of at most 10 bytes, got none that ends")
