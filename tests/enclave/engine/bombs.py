"""ONNX files that mean harm: small on the wire, large or endless for whoever trusts them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import SparseTensorProto, TensorProto, helper

from tests.enclave.engine.graphs import external, identity, model, node, parse, port, weight
from tests.enclave.engine.protobuf import field, varint


def unshaped(name: str, dtype: str) -> Any:
    """An input or output of any shape."""
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), None)


X, Y = port("x", "int64", [1]), unshaped("y", "int64")


def constant(name: str, value: int | float | Sequence[int]) -> Any:
    return weight(name, np.array(value))


def giant_dims() -> bytes:
    tensor = TensorProto(name="w", data_type=1, dims=[1 << 40, 1 << 40], raw_data=bytes(4))
    return model([node("Identity", ["w"], ["y"])], [], [unshaped("y", "float32")], [tensor])


def dims_that_wrap_around() -> bytes:
    """Their product is 4 modulo 2 to the 64."""
    tensor = TensorProto(name="w", data_type=2, dims=[(1 << 62) + 1, 4], raw_data=bytes(4))
    return model([node("Identity", ["w"], ["y"])], [], [unshaped("y", "uint8")], [tensor])


def deep_subgraphs(depth: int = 1000) -> bytes:
    """A graph in an attribute of a node, again and again."""
    graph = b""
    for _ in range(depth):
        graph = field(1, field(5, field(6, graph)))
    return field(7, graph)


def a_million_nodes() -> bytes:
    return field(7, field(1, b"") * 1_000_000)


def a_million_attributes() -> bytes:
    return field(7, field(1, field(5, b"") * 1_000_000))


def a_flood_of_strings() -> bytes:
    strings = field(6, b"") * 3_000_000
    return field(7, field(5, field(1, varint(0)) + strings))


def a_flood_of_numbers() -> bytes:
    """Each in a field of its own."""
    return field(7, field(1, field(5, b"\x40\x00" * 3_000_000)))


def huge_varint() -> bytes:
    return b"\x08" + b"\xff" * 100


def huge_length() -> bytes:
    return b"\x3a" + varint(1 << 62)


def external_path(location: str) -> bytes:
    return model(
        [node("Add", ["x", "w"], ["y"])],
        [port("x", "float32", [4])],
        [port("y", "float32", [4])],
        [external("w", location)],
    )


def one_file_many_times(location: str, items: int, times: int) -> bytes:
    tensors = [external(f"w{index}", location) for index in range(times)]
    for tensor in tensors:
        tensor.dims[:] = [items]
    return model([node("Identity", ["w0"], ["y"])], [], [unshaped("y", "float32")], tensors)


def expanding_constants(items: int = 1 << 40) -> bytes:
    return model([node("ConstantOfShape", ["n"], ["y"])], [], [unshaped("y", "float32")], [constant("n", [items])])


def squares_of_squares(times: int = 5000) -> bytes:
    """Multiplied without care, the last number has more digits than there is memory."""
    nodes = [node("Mul", [f"v{index}", f"v{index}"], [f"v{index + 1}"]) for index in range(times)]
    nodes.append(node("ConstantOfShape", [f"v{times}"], ["y"]))
    return model(nodes, [], [unshaped("y", "float32")], [constant("v0", [3])])


def custom_operator() -> bytes:
    return model([node("Exec", ["x"], ["y"], domain="evil")], [X], [Y])


def model_local_function() -> bytes:
    built = parse(identity("float32", [4]))
    doubled = [node("Add", ["a", "a"], ["b"])]
    built.functions.append(helper.make_function("own", "F", ["a"], ["b"], doubled, [helper.make_opsetid("", 17)]))
    return bytes(built.SerializeToString())


def sparse_giant() -> bytes:
    built = parse(identity("float32", [4]))
    values = weight("w", np.ones(1, np.float32))
    indices = weight("i", np.zeros(1, np.int64))
    built.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=indices, dims=[1 << 40]))
    return bytes(built.SerializeToString())


def training_information() -> bytes:
    built = parse(identity("float32", [4]))
    built.training_info.add()
    return bytes(built.SerializeToString())


def configuring_metadata() -> bytes:
    built = parse(identity("float32", [4]))
    built.metadata_props.add(key="ort_config", value='{"session_options": {"enable_profiling": 1}}')
    return bytes(built.SerializeToString())


def endless_loop() -> bytes:
    """Runs until the largest int64, at the first request."""
    body = helper.make_graph(
        [node("Identity", ["going"], ["still"]), node("Add", ["v", "v"], ["w"])],
        "body",
        [port("turn", "int64", []), port("going", "bool", []), port("v", "int64", [1])],
        [port("still", "bool", []), port("w", "int64", [1])],
    )
    weights = [constant("turns", (1 << 63) - 1), weight("go", np.array(True))]
    return model([node("Loop", ["turns", "go", "x"], ["y"], body=body)], [X], [Y], weights)


def memory_at_run(items: int = 1 << 40) -> bytes:
    """How much is only said by an input, of which every value asks for too much."""
    nodes = [
        node("Add", ["x", "n"], ["size"]),
        node("ConstantOfShape", ["size"], ["large"]),
        node("ReduceMax", ["large"], ["most"], keepdims=1),
        node("Cast", ["most"], ["y"], to=7),
    ]
    return model(nodes, [X], [Y], [constant("n", [items])])


def doubling(times: int = 40) -> bytes:
    """A constant beside itself, and that beside itself: a terabyte in 40 nodes, none of which expands by a number."""
    nodes = [node("Concat", [f"v{index}"] * 2, [f"v{index + 1}"], axis=0) for index in range(times)]
    nodes += [node("ReduceMax", [f"v{times}"], ["most"], keepdims=1), node("Add", ["x", "most"], ["y"])]
    return model(nodes, [X], [Y], [constant("v0", [1])])


def endless_at_load(nodes: int = 20_000) -> bytes:
    """Large constants made of large constants, folded one after the other; the memory of each is free again."""
    side = constant("side", [1 << 10, 1 << 10])
    chain = [node("ConstantOfShape", ["side"], ["v0"])]
    chain += [node("MatMul", [f"v{index}", f"v{index}"], [f"v{index + 1}"]) for index in range(nodes)]
    chain += [node("ReduceMax", [f"v{nodes}"], ["most"], keepdims=0), node("Cast", ["most"], ["whole"], to=7)]
    return model([*chain, node("Add", ["x", "whole"], ["y"])], [X], [Y], [side])
