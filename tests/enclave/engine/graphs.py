"""Small ONNX graphs, good and bad, written with the onnx package (which the enclave never imports)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str | None]

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]


def port(name: str, dtype: str, shape: Shape) -> Any:
    kind = TensorProto.STRING if dtype == "string" else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any] | None = None) -> bytes:
    graph = helper.make_graph(nodes, "test", inputs, outputs, weights or [])
    built = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
    return bytes(built.SerializeToString())


def node(operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, outputs, **attributes)


def weight(name: str, array: NDArray[Any]) -> Any:
    return numpy_helper.from_array(array, name)


def external(name: str, location: str) -> Any:
    """A float32 [4] tensor whose data lies in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def identity(dtype: str, shape: Shape) -> bytes:
    return model([node("Identity", ["x"], ["y"])], [port("x", dtype, shape)], [port("y", dtype, shape)])


def parse(graph: bytes) -> Any:
    return onnx.ModelProto.FromString(graph)


def spinning() -> bytes:
    """A graph that doubles a number as often as its input `times`, int64 [], says."""
    keep, double = node("Identity", ["go"], ["go_on"]), node("Add", ["x", "x"], ["doubled"])
    body = helper.make_graph(
        [keep, double],
        "body",
        [port("index", "int64", []), port("go", "bool", []), port("x", "float32", [1])],
        [port("go_on", "bool", []), port("doubled", "float32", [1])],
    )
    one = weight("one", np.ones(1, dtype=np.float32))
    loop = node("Loop", ["times", "", "one"], ["y"], body=body)
    return model([loop], [port("times", "int64", [])], [port("y", "float32", [1])], [one])


def expanding() -> bytes:
    """A graph whose output has the shape that its input `shape`, int64 [n], says."""
    one = weight("one", np.ones(1, dtype=np.float32))
    expand = node("Expand", ["one", "shape"], ["y"])
    return model([expand], [port("shape", "int64", [2])], [port("y", "float32", ["a", "b"])], [one])


def dividing(operator: str, dtype: str) -> bytes:
    """A graph of `Div` or `Mod` on integers: for the least one and -1 the processor traps, and ends the process."""
    ports = [port(name, dtype, ["n"]) for name in "abc"]
    return model([node(operator, ["a", "b"], ["c"])], ports[:2], ports[2:])
