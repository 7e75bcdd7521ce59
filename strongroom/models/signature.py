"""The inputs and outputs that an ONNX graph declares, read from a file that the scan has accepted.

The scan (`enclave.engine.graph_scan`) walks over these messages without keeping them: the enclave asks onnxruntime.
Here nothing is loaded. A file that was not scanned may raise GraphRejected or IndexError.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from enclave.engine.graph_scan.wire import FIXED32, FIXED64, LENGTH, VARINT, signed, varint

_DTYPES: Mapping[int, str] = MappingProxyType(
    {
        1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
        10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    }
)  # fmt: skip
"""TensorProto.DataType → name."""
_FIXED_BYTES = {FIXED32: 4, FIXED64: 8}


class GraphPort(NamedTuple):
    """An input or output: a dimension is a number, a symbol, or None where the graph says nothing."""

    name: str
    dtype: str
    shape: list[int | str | None] | None
    """None where the graph says nothing of the shape, or where this is no tensor."""


class Span(NamedTuple):
    """Where the content of a field lies in the file."""

    start: int
    end: int


def inputs(data: bytes) -> list[GraphPort]:
    """What whoever runs the graph has to give: its declared inputs, without those that have a value of their own."""
    graph = _one(data, _whole(data), 7)
    own = {_text(data, name) for tensor in _all(data, graph, 5) for name in _all(data, tensor, 8)}
    return [port for port in _ports(data, graph, 11) if port.name not in own]


def outputs(data: bytes) -> list[GraphPort]:
    """What the graph gives."""
    return _ports(data, _one(data, _whole(data), 7), 12)


def _ports(data: bytes, graph: Span, field: int) -> list[GraphPort]:
    return [_port(data, value) for value in _all(data, graph, field)]


def _port(data: bytes, value: Span) -> GraphPort:
    """Of a ValueInfoProto: name (1), and type (2) of a tensor (1) with elem_type (1) and shape (2) of dim (1)."""
    name = _text(data, _one(data, value, 1))
    tensor = _one(data, _one(data, value, 2), 1)
    if tensor == _NOTHING:
        return GraphPort(name, "no tensor", None)
    dtype = _DTYPES.get(_number(data, _one(data, tensor, 1)), "unknown")
    shapes = _all(data, tensor, 2)
    dims = [_dimension(data, dim) for shape in shapes for dim in _all(data, shape, 1)]
    return GraphPort(name, dtype, dims if shapes else None)


def _dimension(data: bytes, dim: Span) -> int | str | None:
    for value in _all(data, dim, 1):
        return _number(data, value)
    for symbol in _all(data, dim, 2):
        return _text(data, symbol)
    return None


_NOTHING = Span(0, 0)


def _whole(data: bytes) -> Span:
    return Span(0, len(data))


def _one(data: bytes, within: Span, field: int) -> Span:
    """The field's content, or an empty span."""
    return next(iter(_all(data, within, field)), _NOTHING)


def _all(data: bytes, within: Span, field: int) -> list[Span]:
    return [span for number, span in _fields(data, within) if number == field]


def _fields(data: bytes, within: Span) -> Iterator[tuple[int, Span]]:
    at, end = within
    while at < end:
        key, at = varint(data, at, end)
        size = _FIXED_BYTES.get(key & 7, 0)
        if key & 7 == LENGTH:
            size, at = varint(data, at, end)
        elif key & 7 == VARINT:
            size = varint(data, at, end)[1] - at
        yield key >> 3, Span(at, at + size)
        at += size


def _number(data: bytes, span: Span) -> int:
    return signed(varint(data, *span)[0]) if span != _NOTHING else 0


def _text(data: bytes, span: Span) -> str:
    return data[slice(*span)].decode(errors="backslashreplace")
