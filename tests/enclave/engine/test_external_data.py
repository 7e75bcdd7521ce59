"""No graph reads a file, wherever in it the tensor stands."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import SparseTensorProto, helper

from enclave.engine import sessions
from enclave.engine.errors import ModelRejected
from enclave.engine.external_data import refuse_external_data
from enclave.engine.sessions import open_session
from enclave.engine.telemetry import import_onnxruntime
from tests.enclave.engine.graphs import external, identity, model, node, parse, port, weight
from tests.enclave.engine.packages import Package

X, Y = port("x", "float32", [4]), port("y", "float32", [4])
ADD = node("Add", ["x", "w"], ["y"])


def in_an_initializer(tensor: Any) -> bytes:
    return model([ADD], [X], [Y], [tensor])


def in_a_constant(tensor: Any) -> bytes:
    return model([node("Constant", [], ["w"], value=tensor), ADD], [X], [Y])


def in_a_list_of_tensors(tensor: Any) -> bytes:
    return model([node("Constant", [], ["w"], values=[tensor]), ADD], [X], [Y])


def in_a_branch(tensor: Any) -> bytes:
    branch = helper.make_graph([node("Identity", ["w"], ["z"])], "branch", [], [port("z", "float32", [4])], [tensor])
    choice = node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    return model([choice], [X, port("c", "bool", [])], [Y])


def in_a_function(tensor: Any) -> bytes:
    built = parse(identity("float32", [4]))
    body = [node("Constant", [], ["w"], value=tensor)]
    built.functions.append(helper.make_function("own", "F", [], ["w"], body, [helper.make_opsetid("", 17)]))
    return bytes(built.SerializeToString())


def in_a_default_of_a_function(tensor: Any) -> bytes:
    built = parse(identity("float32", [4]))
    function = helper.make_function("own", "F", [], ["w"], [], [helper.make_opsetid("", 17)])
    function.attribute_proto.append(helper.make_attribute("default", tensor))
    built.functions.append(function)
    return bytes(built.SerializeToString())


def in_a_sparse_tensor(tensor: Any) -> bytes:
    built = parse(identity("float32", [4]))
    built.graph.sparse_initializer.append(SparseTensorProto(values=tensor, dims=[4]))
    return bytes(built.SerializeToString())


def in_training_information(tensor: Any) -> bytes:
    built = parse(identity("float32", [4]))
    built.training_info.add().algorithm.initializer.append(tensor)
    return bytes(built.SerializeToString())


PLACES = [
    in_an_initializer,
    in_a_constant,
    in_a_list_of_tensors,
    in_a_branch,
    in_a_function,
    in_a_default_of_a_function,
    in_a_sparse_tensor,
    in_training_information,
]


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_refused(place: Any) -> None:
    with pytest.raises(ModelRejected, match="external data"):
        refuse_external_data(place(external("w", "weights.bin")))


@pytest.mark.parametrize("place", PLACES)
def test_the_same_graph_with_its_data_inside_is_not(place: Any) -> None:
    refuse_external_data(place(weight("w", np.zeros(4, np.float32))))


def test_a_location_without_the_flag_is_refused() -> None:
    tensor = external("w", "weights.bin")
    tensor.ClearField("data_location")
    with pytest.raises(ModelRejected, match="external data"):
        refuse_external_data(in_an_initializer(tensor))


def test_a_location_that_is_said_to_be_inside_is_accepted() -> None:
    tensor = weight("w", np.zeros(4, np.float32))
    tensor.data_location = 0
    refuse_external_data(in_an_initializer(tensor))


def test_a_session_is_not_opened_on_it() -> None:
    with pytest.raises(ModelRejected, match="external data"):
        open_session(in_an_initializer(external("w", "weights.bin")), threads=1)


def test_the_runtime_alone_would_not_read_it_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)
    options = sessions._options

    def without_optimizer(threads: int) -> Any:
        found = options(threads)
        found.graph_optimization_level = import_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
        return found

    monkeypatch.setattr(sessions, "_options", without_optimizer)
    monkeypatch.setattr("enclave.engine.sessions.refuse_external_data", lambda graph: None)
    for location in ("weights.bin", "../weights.bin", str(tmp_path / "weights.bin"), "*/_ORT_MEM_ADDR_/*"):
        with pytest.raises(ModelRejected):
            open_session(in_an_initializer(external("w", location)), threads=1)


@pytest.mark.parametrize(
    ("graph", "complaint"),
    [
        (b"\x3a", "varint"),  # field 7 without a length
        (b"\x3a\x05ab", "expected 5 bytes in field 7, got 2"),
        (b"\x38\x01", "expected a message in field 7"),
        (b"\x3b", "wire type"),  # a group
        (b"\xff" * 11, "varint"),
    ],
)
def test_what_is_no_protobuf_is_refused(graph: bytes, complaint: str) -> None:
    with pytest.raises(ModelRejected, match=complaint):
        refuse_external_data(graph)


def test_endless_nesting_is_refused() -> None:
    graph = b""
    for _ in range(100):  # a graph in an attribute of a node, again and again
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            graph = tag + _length(graph) + graph
    with pytest.raises(ModelRejected, match="nested"):
        refuse_external_data(b"\x3a" + _length(graph) + graph)


def _length(data: bytes) -> bytes:
    return bytes([len(data) & 0x7F | 0x80, len(data) >> 7])


@given(st.binary(max_size=64))
def test_any_bytes_are_accepted_or_rejected(graph: bytes) -> None:
    try:
        refuse_external_data(graph)
    except ModelRejected:
        return


@given(position=st.integers(min_value=0), byte=st.integers(0, 255))
def test_any_altered_graph_is_accepted_or_rejected(tensor_package: Package, position: int, byte: int) -> None:
    graph = bytearray(tensor_package.graph)
    graph[position % len(graph)] = byte
    try:
        refuse_external_data(bytes(graph))
    except ModelRejected:
        return
