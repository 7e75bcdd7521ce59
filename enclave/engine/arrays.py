"""Tensors of the protocol as numpy arrays, and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enclave.engine.errors import InferenceFailed, InvalidTensor
from strongroom.protocol.errors import Malformed
from strongroom.protocol.tensors import DType, Tensor

ORT_TYPES: dict[str, DType] = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(bool)": "bool",
    "tensor(int8)": "int8", "tensor(int16)": "int16", "tensor(int32)": "int32", "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
}  # fmt: skip
"""onnxruntime's name of an element type → the protocol's."""

_DTYPES = {name: np.dtype(name).newbyteorder("<") for name in ORT_TYPES.values()}


def to_array(tensor: Tensor) -> NDArray[Any]:
    """A read-only view on the tensor's bytes; raise InvalidTensor unless they are what dtype and shape say."""
    try:
        tensor.check()
    except Malformed as error:
        raise InvalidTensor(str(error)) from None
    if tensor.dtype == "bool" and tensor.data.translate(None, b"\x00\x01"):
        raise InvalidTensor("tensor: expected only bytes 0 and 1 in a bool tensor, got others")
    return np.frombuffer(tensor.data, dtype=_DTYPES[tensor.dtype]).reshape(tensor.shape)


def to_tensor(array: NDArray[Any]) -> Tensor:
    """The array's dtype, shape and row-major little-endian bytes; raise InferenceFailed for a dtype without a name."""
    dtype = next((name for name, known in _DTYPES.items() if known == array.dtype), None)
    if dtype is None:
        raise InferenceFailed("expected an output of a dtype of the protocol, got another")
    return Tensor(dtype, list(array.shape), array.astype(_DTYPES[dtype], copy=False).tobytes())
