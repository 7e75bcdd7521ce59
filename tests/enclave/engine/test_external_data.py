"""No graph reads a file; what lies outside it comes from the package, in memory, where the scan allows it."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from enclave.engine import sessions
from enclave.engine.capacity import Capacity
from enclave.engine.engine import Engine
from enclave.engine.errors import ModelRejected
from enclave.engine.graph_scan.rules import GraphRejected, Rule
from enclave.engine.graph_scan.scan import scan
from enclave.engine.sessions import open_session, run_session
from enclave.engine.telemetry import import_onnxruntime
from strongroom.protocol.catalogue import ModelFile
from strongroom.protocol.payloads import InferTask, Outputs
from strongroom.protocol.tensors import Tensor
from tests.enclave.engine import bombs
from tests.enclave.engine.graphs import external, model, node, port, weight
from tests.enclave.engine.packages import Package, collect

X, Y = port("x", "float32", [4]), port("y", "float32", [4])
ADD = node("Add", ["x", "w"], ["y"])
DATA = np.arange(8, dtype=np.float32).tobytes()
FILES = {"weights.bin": DATA}


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


def at(offset: object = None, length: object = None, location: str = "weights.bin") -> Any:
    tensor = external("w", location)
    for key, value in (("offset", offset), ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    return tensor


def run(graph: bytes) -> list[float]:
    session = open_session(graph, threads=1, files=FILES)
    numbers: list[float] = run_session(session, {"x": np.zeros(4, np.float32)})["y"].tolist()
    return numbers


def refused(graph: bytes) -> None:
    with pytest.raises(GraphRejected) as caught:
        scan(graph, FILES)
    assert caught.value.rule is Rule.EXTERNAL


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [(at(), [0, 1, 2, 3]), (at(16, 16), [4, 5, 6, 7]), (at(16), [4, 5, 6, 7]), (at(0, 16), [0, 1, 2, 3])],
)
def test_a_file_of_the_manifest_is_handed_over_from_memory(tensor: Any, expected: list[float]) -> None:
    assert scan(in_an_initializer(tensor), FILES) == {"weights.bin"}
    assert run(in_an_initializer(tensor)) == expected


@pytest.mark.parametrize(
    "tensor",
    [
        at(20, 16),
        at(32),
        at(1 << 62, 16),
        at(-16, 16),
        at("0x10"),
        at("0" * 20 + "16"),
        at(""),
        at(0, 8),
        at(0, 32),
        at(0, 0),
        at("١٦"),
    ],
)
def test_a_place_outside_the_file_or_of_another_size_is_refused(tensor: Any) -> None:
    refused(in_an_initializer(tensor))


PATHS = [
    "",
    ".",
    "..",
    ".hidden",
    "../weights.bin",
    "./weights.bin",
    "a/../weights.bin",
    "/weights.bin",
    "/etc/passwd",
    "..\\weights.bin",
    "C:weights.bin",
    "weights.bin\0",
    "weights.bin\0.txt",
    "*/_ORT_MEM_ADDR_/*",
    "ｗeights.bin",
    "weights.bin/",
]


@pytest.mark.parametrize("location", PATHS)
def test_a_path_is_refused_even_if_a_file_were_called_so(location: str) -> None:
    with pytest.raises(GraphRejected, match="got a path"):
        scan(bombs.external_path(location), {location: DATA})


@pytest.mark.parametrize("location", ["other.bin", "Weights.bin", "weights.bin" + "x" * 5000])
def test_other_names_are_refused(location: str) -> None:
    refused(bombs.external_path(location))


@pytest.mark.parametrize("place", [in_a_constant, in_a_list_of_tensors, in_a_branch])
def test_only_initializers_of_the_model_lie_outside(place: Any) -> None:
    refused(place(external("w", "weights.bin")))
    assert scan(place(weight("w", np.zeros(4, np.float32))), FILES) == frozenset()


def flag_alone() -> Any:
    return TensorProto(name="w", data_type=1, dims=[4], data_location=TensorProto.EXTERNAL)


def place_alone() -> Any:
    tensor = external("w", "weights.bin")
    tensor.ClearField("data_location")
    return tensor


def with_data_of_its_own() -> Any:
    tensor = external("w", "weights.bin")
    tensor.raw_data = bytes(16)
    return tensor


def two_places() -> Any:
    tensor = external("w", "weights.bin")
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def unknown_key() -> Any:
    tensor = external("w", "weights.bin")
    tensor.external_data.add(key="basepath", value="/")
    return tensor


@pytest.mark.parametrize("make", [flag_alone, place_alone, with_data_of_its_own, two_places, unknown_key])
def test_a_tensor_that_says_two_things_is_refused(make: Any) -> None:
    refused(in_an_initializer(make()))


def test_a_third_kind_of_place_is_refused() -> None:
    graph = in_an_initializer(external("w", "weights.bin"))
    assert graph.count(b"\x70\x01") == 1
    refused(graph.replace(b"\x70\x01", b"\x70\x02"))


def test_strings_cannot_lie_outside() -> None:
    tensor = external("w", "weights.bin")
    tensor.data_type = TensorProto.STRING
    with pytest.raises(GraphRejected) as caught:
        scan(in_an_initializer(tensor), FILES)
    assert caught.value.rule is Rule.TENSOR


def test_a_location_that_is_said_to_be_inside_is_accepted() -> None:
    tensor = weight("w", np.zeros(4, np.float32))
    tensor.data_location = 0
    assert scan(in_an_initializer(tensor), FILES) == frozenset()


def test_one_file_as_the_data_of_many_tensors_is_too_much_at_last() -> None:
    files = {"weights.bin": bytes(4 << 20)}
    assert scan(bombs.one_file_many_times("weights.bin", 1 << 20, 2), files) == {"weights.bin"}
    with pytest.raises(GraphRejected) as caught:
        scan(bombs.one_file_many_times("weights.bin", 1 << 20, 64), files)
    assert caught.value.rule is Rule.WEIGHTS


@pytest.mark.parametrize("location", ["weights.bin", "../weights.bin", "{here}/weights.bin", "*/_ORT_MEM_ADDR_/*"])
def test_the_runtime_alone_would_not_read_a_file_either(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)
    options = sessions._options

    def without_optimizer(threads: int) -> Any:
        found = options(threads)
        found.graph_optimization_level = import_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
        return found

    monkeypatch.setattr(sessions, "_options", without_optimizer)
    graph = bombs.external_path(location.format(here=tmp_path))
    for files in ({}, {"other.bin": bytes(16)}):
        with pytest.raises(ModelRejected):
            open_session(graph, threads=1, files=files)


def test_the_runtime_keeps_no_view_on_the_file() -> None:
    """It outlives the bytes that it was handed: here they are overwritten."""
    data = np.ones(1 << 18, np.float32).tobytes()
    tensor = external("w", "weights.bin")
    tensor.dims[:] = [1 << 18]
    graph = model([ADD], [port("x", "float32", [1])], [port("y", "float32", [1 << 18])], [tensor])
    session = open_session(graph, threads=1, files={"weights.bin": data})
    ctypes.memset(np.frombuffer(data, np.uint8).ctypes.data, 0xFF, len(data))
    assert run_session(session, {"x": np.zeros(1, np.float32)})["y"].sum() == 1 << 18


async def test_the_engine_runs_a_package_of_two_files(tensor_package: Package) -> None:
    graph = in_an_initializer(at(16, 16))
    files = [ModelFile(tensor_package.manifest.graph, len(graph), "0" * 64), ModelFile("weights.bin", 32, "0" * 64)]
    manifest = tensor_package.manifest
    engine = Engine(Capacity(threads=1))
    two = type(manifest)(manifest.id, "1", "infer", "x", "x", manifest.graph, files)
    engine.load(two, {manifest.graph: graph, **FILES})
    (event,) = await collect(engine.run(manifest.id, InferTask({"x": Tensor("float32", [4], bytes(16))})))
    engine.close()
    assert isinstance(event, Outputs)
    assert event.tensors["y"].data == DATA[16:]


def test_the_engine_takes_no_file_that_is_not_in_the_manifest(tensor_package: Package) -> None:
    graph = in_an_initializer(at(location="weights.bin"))
    package = tensor_package.with_file(tensor_package.manifest.graph, graph)
    with pytest.raises(GraphRejected, match="external data"):
        Engine(Capacity(threads=1)).load(package.manifest, package.files | FILES)


def test_the_engine_does_not_take_the_graph_for_its_own_data(tensor_package: Package) -> None:
    name = tensor_package.manifest.graph
    package = tensor_package.with_file(name, in_an_initializer(at(0, 16, location=name)))
    with pytest.raises(GraphRejected, match="external data"):
        Engine(Capacity(threads=1)).load(package.manifest, package.files)
