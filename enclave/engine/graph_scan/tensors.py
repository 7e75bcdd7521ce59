"""A tensor's data are exactly what its type and dims say (onnx.proto, TensorProto)."""

from collections.abc import Mapping
from math import prod
from types import MappingProxyType
from typing import Final, NamedTuple

from enclave.engine.graph_scan.limits import MAX_KEPT_NUMBERS, STRING_BYTES
from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.rules import GraphRejected, Rule

STRING: Final = 8


class Layout(NamedTuple):
    """Bits of an item, and the list that holds items which are not in raw_data, some in two numbers each."""

    bits: int
    listed: str
    numbers: int = 1

    def raw_bytes(self, items: int) -> int:
        """Bytes of so many items in raw_data or in another file."""
        return (items * self.bits + 7) // 8

    def entries(self, items: int) -> int:
        """Numbers of so many items in their list: items of less than a byte share one."""
        return self.raw_bytes(items) if self.bits < 8 else items * self.numbers


LAYOUTS: Final[Mapping[int, Layout]] = MappingProxyType(
    {
        1: Layout(32, "float_data"),
        2: Layout(8, "int32_data"),  # uint8
        3: Layout(8, "int32_data"),
        4: Layout(16, "int32_data"),  # uint16
        5: Layout(16, "int32_data"),
        6: Layout(32, "int32_data"),
        7: Layout(64, "int64_data"),
        9: Layout(8, "int32_data"),  # bool
        10: Layout(16, "int32_data"),  # float16
        11: Layout(64, "double_data"),
        12: Layout(32, "uint64_data"),
        13: Layout(64, "uint64_data"),
        14: Layout(64, "float_data", 2),  # complex64
        15: Layout(128, "double_data", 2),
        16: Layout(16, "int32_data"),  # bfloat16
        **dict.fromkeys(range(17, 21), Layout(8, "int32_data")),  # float8
        21: Layout(4, "int32_data"),  # uint4
        22: Layout(4, "int32_data"),
        23: Layout(4, "int32_data"),  # float4
        24: Layout(8, "int32_data"),  # float8e8m0
        25: Layout(2, "int32_data"),  # uint2
        26: Layout(2, "int32_data"),
    }
)
"""TensorProto.DataType, but for strings, → how its items are written."""

_LISTS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")


def has_data(tensor: Message) -> bool:
    """Whether there is anything in the fields that hold a tensor's data."""
    return any(tensor.count(name) for name in ("raw_data", *_LISTS))


def count_items(tensor: Message) -> int:
    """The number of a tensor's items by its dims; raise GraphRejected for dims that are none."""
    dims = tensor.numbers("dims")
    if tensor.count("dims") > MAX_KEPT_NUMBERS or any(size < 0 for size in dims):
        raise GraphRejected(Rule.TENSOR, f"expected at most {MAX_KEPT_NUMBERS} dims from 0, got others")
    return int(prod(dims))


def layout(tensor: Message) -> Layout:
    """How the items are written; raise GraphRejected for strings and unknown types."""
    found = LAYOUTS.get(tensor.number("data_type"))
    if found is None:
        raise GraphRejected(Rule.TENSOR, f"expected a data type of numbers, got {tensor.number('data_type')}")
    return found


def check_data(tensor: Message) -> int:
    """Bytes in memory of a tensor whose data lies in the graph; raise GraphRejected unless it is all there."""
    items = count_items(tensor)
    raw = len(tensor.body("raw_data"))
    lists = {name: tensor.count(name) for name in _LISTS if tensor.count(name)}
    if tensor.number("data_type") == STRING:
        expected, size = {"string_data": items}, items * STRING_BYTES
    else:
        kind = layout(tensor)
        expected, size = {kind.listed: kind.entries(items)}, kind.raw_bytes(items)
        if raw == size and not lists:
            return size
    if raw or lists != {name: count for name, count in expected.items() if count}:
        raise GraphRejected(Rule.TENSOR, f"expected the data of {items} items, got other data")
    return size
