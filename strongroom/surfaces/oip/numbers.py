"""Tensors as numbers in JSON: the protocol's dtypes under the names of the Open Inference Protocol."""

import math
import struct
from collections.abc import Sequence
from http import HTTPStatus
from itertools import chain
from typing import Any, Final

from strongroom.protocol.tensors import Tensor
from strongroom.surfaces.refusals import Refused, invalid

DTYPES: Final = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
}
DATATYPES: Final = {dtype: datatype for datatype, dtype in DTYPES.items()}

_FORMATS: Final = {
    "bool": "?", "uint8": "B", "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "float16": "e", "float32": "f", "float64": "d",
}  # fmt: skip


def pack(dtype: str, data: object, shape: Sequence[int]) -> bytes:
    """Raw little-endian bytes of a list of numbers, flat or nested. Raises Refused."""
    values = _flat(data, shape)
    allowed = {bool} if dtype == "bool" else {int, float} if dtype.startswith("float") else {int}
    if not {type(value) for value in values} <= allowed:
        raise invalid(f"inputs: expected data of type {DATATYPES[dtype]}, got another", "inputs")
    try:
        return struct.pack(f"<{len(values)}{_FORMATS[dtype]}", *values)
    except (struct.error, OverflowError):
        raise invalid(f"inputs: expected data in the range of {DATATYPES[dtype]}, got more", "inputs") from None


def unpack(tensor: Tensor) -> list[object]:
    """The numbers of a tensor that was checked, flat. Raises Refused for those that JSON cannot hold."""
    format_ = _FORMATS[tensor.dtype]
    values = list(struct.unpack(f"<{len(tensor.data) // struct.calcsize(format_)}{format_}", tensor.data))
    if tensor.dtype.startswith("float") and not all(map(math.isfinite, values)):
        message = "expected finite numbers, which JSON can hold, got others: ask for binary_data"
        raise Refused(HTTPStatus.BAD_REQUEST, "not-finite", message, field="outputs")
    return values


def _flat(data: object, shape: Sequence[int]) -> list[Any]:
    """All numbers of `data`; if it is nested, then as `shape` says, for otherwise it was meant as another tensor."""
    if not isinstance(data, list):
        raise _misshapen()
    if not (data and isinstance(data[0], list)):
        return data
    rows: list[Any] = [data]
    for length in shape:
        if not all(isinstance(row, list) and len(row) == length for row in rows):
            raise _misshapen()
        rows = list(chain.from_iterable(rows))
    return rows


def _misshapen() -> Refused:
    return invalid("inputs: expected data as numbers, flat or nested as the shape says, got something else", "inputs")
