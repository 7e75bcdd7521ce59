"""Tensors on the wire: dtype, shape, raw little-endian bytes."""

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

from strongroom.protocol.errors import Malformed

DType = Literal["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "bool"]

ITEM_BYTES: dict[str, int] = {
    "float32": 4, "float64": 8, "float16": 2, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "bool": 1,
}  # fmt: skip


class Tensor(Struct, frozen=True, forbid_unknown_fields=True):
    """A dense array: `data` holds prod(shape) items of `dtype`, row-major, little-endian."""

    dtype: DType
    shape: Annotated[list[Annotated[int, Meta(ge=0, le=1 << 31)]], Meta(max_length=8)]
    data: bytes

    def check(self) -> None:
        """Raise Malformed unless `data` is exactly as long as dtype and shape say."""
        expected = math.prod(self.shape) * ITEM_BYTES[self.dtype]
        if len(self.data) != expected:
            raise Malformed(f"tensor: expected {expected} bytes of data, got {len(self.data)}")
