"""A small writer of ONNX graphs whose bytes depend on nothing but the calls made to it."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

CONTRIB = "com.microsoft"
"""Domain of ONNX Runtime's own operators: a graph that uses them runs on ONNX Runtime only."""

Dimensions = list[str | int]

_OPSET = 21
_IR_VERSION = 10


class Graph:
    """Collects constants and nodes; every method that adds something returns the names it made."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: npt.DTypeLike, dimensions: Dimensions) -> str:
        """Declare an input; a string names a free dimension."""
        self._inputs.append(_value_info(name, dtype, dimensions))
        return name

    def output(self, name: str, dtype: npt.DTypeLike, dimensions: Dimensions) -> None:
        """Declare that the value `name` leaves the graph."""
        self._outputs.append(_value_info(name, dtype, dimensions))

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        """Store an array once under its name."""
        self._constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        """A constant int64 vector, named by its values."""
        return self.constant(f"int64:{','.join(map(str, values))}", np.array(values, dtype=np.int64))

    def scalar(self, value: float) -> str:
        """A constant float32 scalar, named by its value."""
        return self.constant(f"float32:{value!r}", np.array(value, dtype=np.float32))

    def add(self, op: str, *inputs: str, name: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return that output, which bears the node's name."""
        self.add_many(op, *inputs, name=name, outputs=[name], domain=domain, **attributes)
        return name

    def add_many(
        self, op: str, *inputs: str, name: str, outputs: list[str], domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs; an empty name leaves an optional output (or input) out."""
        self._nodes.append(helper.make_node(op, list(inputs), outputs, name=name, domain=domain, **attributes))
        return outputs

    def to_bytes(self) -> bytes:
        """The ONNX model, serialised deterministically."""
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, initializer=list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="strongroom")
        return bytes(model.SerializeToString(deterministic=True))


def _value_info(name: str, dtype: npt.DTypeLike, dimensions: Dimensions) -> onnx.ValueInfoProto:
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, dimensions)
