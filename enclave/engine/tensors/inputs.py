"""What an `infer` task brings, against what the graph asks for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import ORT_TYPES, to_array
from enclave.engine.errors import InvalidTensor, ModelRejected
from enclave.engine.sessions import Port as GraphPort
from strongroom.protocol.tensors import Port, Tensor


def told(port: GraphPort) -> Port:
    """The port as the protocol has it; raise ModelRejected for one that no task could bring and no answer tell."""
    if port.dtype not in ORT_TYPES:
        raise ModelRejected(f"graph: {port.name}: expected a dtype of the protocol, got {port.dtype}")
    found = Port(port.name, ORT_TYPES[port.dtype], list(port.shape))
    try:
        return msgspec.convert(msgspec.to_builtins(found), Port)
    except msgspec.ValidationError:
        text = "expected names, symbols and shapes within the limits of docs/protocol.md, got others"
        raise ModelRejected(f"graph: {text}") from None


def check_inputs(ports: Sequence[Port], tensors: Mapping[str, Tensor]) -> list[NDArray[Any]]:
    """The tensors as arrays, in the order of the ports; raise InvalidTensor unless they are exactly what these ask for.

    A dimension that the graph names by a symbol may have any size from 1, the same wherever the symbol stands (an
    empty tensor costs no bytes, and could ask for any amount of memory).
    """
    for port in ports:
        if port.name not in tensors:
            raise InvalidTensor(f"expected an input {port.name}, got none")
    if len(tensors) != len(ports):
        raise InvalidTensor(f"expected {len(ports)} inputs, got {len(tensors)}")
    symbols: dict[str, int] = {}
    return [_check(port, tensors[port.name], symbols) for port in ports]


def require_finite(ports: Iterable[Port], arrays: Iterable[NDArray[Any]]) -> None:
    """Raise InvalidTensor for NaN or an infinity among the numbers."""
    for port, array in zip(ports, arrays, strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InvalidTensor(f"{port.name}: expected finite numbers, got NaN or an infinity")


def _check(port: Port, tensor: Tensor, symbols: dict[str, int]) -> NDArray[Any]:
    if tensor.dtype != port.dtype:
        raise InvalidTensor(f"{port.name}: expected dtype {port.dtype}, got {tensor.dtype}")
    if len(tensor.shape) != len(port.shape):
        raise InvalidTensor(f"{port.name}: expected {len(port.shape)} dimensions, got {len(tensor.shape)}")
    for dimension, (wanted, size) in enumerate(zip(port.shape, tensor.shape, strict=True)):
        if isinstance(wanted, str):
            wanted = symbols.setdefault(wanted, size)
        if size < 1 or (wanted is not None and size != wanted):
            at_least = "1 or more" if wanted is None or size < 1 else str(wanted)
            raise InvalidTensor(f"{port.name}: dimension {dimension}: expected {at_least}, got {size}")
    return to_array(tensor)
