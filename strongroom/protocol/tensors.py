"""Tensors on the wire: dtype, shape, raw little-endian bytes."""

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

from strongroom.protocol.errors import Malformed

DType = Literal["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool"]

ITEM_BYTES: dict[str, int] = {
    "float32": 4, "float64": 8, "float16": 2, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "bool": 1,
}  # fmt: skip


Name = Annotated[str, Meta(max_length=128)]
"""Of a model's input or output."""
Size = Annotated[int, Meta(ge=0, le=1 << 31)]
"""Of one dimension."""
Symbol = Annotated[str, Meta(min_length=1, max_length=128)]
"""Stands for a size that the graph leaves open: the same wherever it stands in a request."""
_MAX_DIMENSIONS = 8
Shape = Annotated[list[Size], Meta(max_length=_MAX_DIMENSIONS)]


class Tensor(Struct, frozen=True, forbid_unknown_fields=True):
    """A dense array: `data` holds prod(shape) items of `dtype`, row-major, little-endian."""

    dtype: DType
    shape: Shape
    data: bytes

    def check(self) -> None:
        """Raise Malformed unless `data` is exactly as long as dtype and shape say."""
        expected = math.prod(self.shape) * ITEM_BYTES[self.dtype]
        if len(self.data) != expected:
            raise Malformed(f"tensor: expected {expected} bytes of data, got {len(self.data)}")


class Port(Struct, frozen=True, forbid_unknown_fields=True):
    """An input or output of a model: the tensors that it takes, or gives.

    A size of `shape` is None where the graph says nothing of it. Where it does not even say how many dimensions an
    output has, the shape is empty, as a scalar's is.
    """

    name: Name
    dtype: DType
    shape: Annotated[list[Size | Symbol | None], Meta(max_length=_MAX_DIMENSIONS)]
