"""Tensor models: exactly what onnxruntime says, for exactly what the graph asks."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray

from enclave.engine.arrays import to_array, to_tensor
from enclave.engine.cancellation import Cancellation, Cancelled
from enclave.engine.errors import InferenceFailed, InvalidTensor, ModelRejected, TooLong, WrongTask
from enclave.engine.sessions import open_session
from enclave.engine.tensors.model import TensorModel
from enclave.engine.tensors.worker import Worker
from strongroom.protocol.catalogue import InferSettings
from strongroom.protocol.constants import MAX_CHUNK_BYTES
from strongroom.protocol.payloads import MAX_OUTPUTS, MAX_TENSORS, EmbedTask, InferTask, Outputs
from strongroom.protocol.tensors import ITEM_BYTES, DType, Port, Tensor
from tests.enclave.engine.graphs import expanding, identity, model, node, port, spinning
from tests.enclave.engine.packages import Package

X = Tensor("float32", [1, 4], bytes(16))


def infer(model: TensorModel, **tensors: Tensor) -> dict[str, Tensor]:
    (event,) = model.run(InferTask(tensors), Cancellation())
    assert isinstance(event, Outputs)
    return event.tensors


def graph_of(graph: bytes) -> TensorModel:
    return TensorModel(Worker(graph, {}, threads=1))


@pytest.fixture(scope="session")
def tiny(tensor_package: Package) -> TensorModel:
    return TensorModel.load(tensor_package.manifest, tensor_package.files, threads=1)


def test_the_answer_is_bit_equal_to_the_plain_runtime(tiny: TensorModel, tensor_package: Package) -> None:
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    (expected,) = open_session(tensor_package.graph, threads=1).run(None, {"x": x})
    y = infer(tiny, x=to_tensor(x))["y"]
    assert (y.dtype, y.shape, y.data) == ("float32", [5, 3], expected.tobytes())


@pytest.mark.parametrize(
    ("tensors", "complaint"),
    [
        ({}, "expected an input x, got none"),
        ({"z": X}, "expected an input x, got none"),
        ({"x": X, "z": X}, "expected 1 inputs, got 2"),
        ({"x": Tensor("float64", [1, 4], bytes(32))}, "expected dtype float32, got float64"),
        ({"x": Tensor("int32", [1, 4], bytes(16))}, "expected dtype float32, got int32"),
        ({"x": Tensor("float32", [4], bytes(16))}, "expected 2 dimensions, got 1"),
        ({"x": Tensor("float32", [1, 4, 1], bytes(16))}, "expected 2 dimensions, got 3"),
        ({"x": Tensor("float32", [4, 1], bytes(16))}, "dimension 1: expected 4, got 1"),
        ({"x": Tensor("float32", [0, 4], b"")}, "dimension 0: expected 1 or more, got 0"),
        ({"x": Tensor("float32", [1, 4], bytes(15))}, "expected 16 bytes of data, got 15"),
        ({"x": Tensor("float32", [1 << 31, 4], bytes(16))}, "expected 34359738368 bytes of data, got 16"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(tiny: TensorModel, tensors: dict[str, Tensor], complaint: str) -> None:
    with pytest.raises(InvalidTensor, match=complaint):
        infer(tiny, **tensors)


def test_one_symbol_has_one_size() -> None:
    x, y, z = (port(name, "float32", ["n", None]) for name in "xyz")
    pair = graph_of(model([node("Concat", ["x", "y"], ["z"], axis=1)], [x, y], [z]))
    infer(pair, x=Tensor("float32", [2, 3], bytes(24)), y=Tensor("float32", [2, 5], bytes(40)))
    with pytest.raises(InvalidTensor, match="y: dimension 0: expected 2, got 3"):
        infer(pair, x=Tensor("float32", [2, 3], bytes(24)), y=Tensor("float32", [3, 5], bytes(60)))


def test_sizes_that_only_an_operator_knows_to_clash_are_the_callers_fault() -> None:
    x, y, z = (port(name, "float32", [None, None]) for name in "xyz")
    pair = graph_of(model([node("Concat", ["x", "y"], ["z"], axis=1)], [x, y], [z]))
    with pytest.raises(InvalidTensor, match="values and sizes that the graph's operators take together"):
        infer(pair, x=Tensor("float32", [2, 3], bytes(24)), y=Tensor("float32", [3, 3], bytes(36)))


def test_a_question_mark_is_no_symbol() -> None:
    image = port("x", "float32", [None, "?", "?"])
    same = graph_of(model([node("Identity", ["x"], ["y"])], [image], [port("y", "float32", [None, "?", "?"])]))
    assert infer(same, x=Tensor("float32", [1, 2, 3], bytes(24)))["y"].shape == [1, 2, 3]


def test_an_empty_tensor_cannot_ask_for_memory() -> None:
    x, y = port("x", "float32", ["a", "b"]), port("y", "float32", [1, 1])
    sums = graph_of(model([node("ReduceSum", ["x"], ["y"])], [x], [y]))
    with pytest.raises(InvalidTensor):
        infer(sums, x=Tensor("float32", [1 << 31, 0], b""))


@pytest.mark.parametrize("dtype", ITEM_BYTES)
def test_every_dtype_of_the_protocol_passes_through(dtype: DType) -> None:
    data = bytes([1, 0, 0, 0, 0, 0, 0, 0])
    tensor = Tensor(dtype, [len(data) // ITEM_BYTES[dtype]], data)
    assert infer(graph_of(identity(dtype, ["n"])), x=tensor) == {"y": tensor}


def test_a_scalar_passes_through() -> None:
    tensor = Tensor("int64", [], (7).to_bytes(8, "little"))
    assert infer(graph_of(identity("int64", [])), x=tensor) == {"y": tensor}


def test_a_bool_is_zero_or_one() -> None:
    with pytest.raises(InvalidTensor, match="bytes 0 and 1"):
        infer(graph_of(identity("bool", ["n"])), x=Tensor("bool", [2], b"\x01\x02"))


def test_a_graph_of_other_dtypes_is_rejected() -> None:
    with pytest.raises(ModelRejected, match="expected a dtype of the protocol"):
        graph_of(identity("string", ["n"]))


def test_a_graph_of_endless_names_is_rejected() -> None:
    name = "y" * 129
    with pytest.raises(ModelRejected, match="within the limits"):
        graph_of(model([node("Identity", ["x"], [name])], [port("x", "float32", [1])], [port(name, "float32", [1])]))


@pytest.mark.parametrize("shape", [["n" * 129], [1] * 9, [(1 << 31) + 1]], ids=["symbol", "dimensions", "dimension"])
def test_a_graph_of_shapes_that_cannot_be_told_is_rejected(shape: list[int | str]) -> None:
    with pytest.raises(ModelRejected, match="within the limits"):
        graph_of(identity("float32", shape))


def adding(inputs: int) -> bytes:
    names = [f"x{number}" for number in range(inputs)]
    given = [port(name, "float32", [1]) for name in names]
    return model([node("Sum", names, ["y"])], given, [port("y", "float32", [1])])


def copying(outputs: int) -> bytes:
    names = [f"y{number}" for number in range(outputs)]
    copies = [node("Identity", ["x"], [name]) for name in names]
    return model(copies, [port("x", "float32", [1])], [port(name, "float32", [1]) for name in names])


@pytest.mark.parametrize(("make", "most"), [(adding, MAX_TENSORS), (copying, MAX_OUTPUTS)])
def test_a_graph_has_so_many_inputs_and_outputs_at_most(make: Callable[[int], bytes], most: int) -> None:
    assert most in map(len, graph_of(make(most)).ports)
    with pytest.raises(ModelRejected, match=f"at most {most}"):
        graph_of(make(most + 1))


def test_the_ports_are_those_of_the_graph() -> None:
    graph = model(
        [node("Cast", ["x"], ["y"], to=10), node("Identity", ["z"], ["same"])],
        [port("x", "float32", ["b", None, "?", 4]), port("z", "int64", [])],
        [port("y", "float16", ["b", None, None, 4]), port("same", "int64", [])],
    )
    inputs, outputs = graph_of(graph).ports
    assert inputs == [Port("x", "float32", ["b", None, None, 4]), Port("z", "int64", [])]
    assert outputs == [Port("y", "float16", ["b", None, None, 4]), Port("same", "int64", [])]


def test_other_tasks_are_refused(tiny: TensorModel) -> None:
    with pytest.raises(WrongTask):
        list(tiny.run(EmbedTask(["x"]), Cancellation()))


def test_a_cancelled_request_does_not_start(tiny: TensorModel) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        list(tiny.run(InferTask({"x": X}), cancellation))


def test_a_cancelled_run_ends_at_the_next_operator_of_its_loop() -> None:
    endless = InferTask({"times": Tensor("int64", [], np.int64(1 << 62).tobytes())})
    cancellation = Cancellation()
    timer = threading.Timer(0.05, cancellation.cancel)
    timer.start()
    with pytest.raises(Cancelled):
        list(graph_of(spinning()).run(endless, cancellation))
    timer.join()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_refused_where_the_manifest_says_so(dtype: DType, number: float) -> None:
    worker = Worker(identity(dtype, ["n"]), {}, threads=1)
    x = to_tensor(np.array([1, number], dtype=dtype))
    assert infer(TensorModel(worker), x=x)["y"].data == x.data
    with pytest.raises(InvalidTensor, match="x: expected finite numbers, got NaN or an infinity"):
        infer(TensorModel(worker, finite_inputs=True), x=x)


def test_the_manifest_says_whether_inputs_are_finite(tensor_package: Package) -> None:
    x = to_tensor(np.full((1, 4), np.nan, dtype=np.float32))
    for settings, refused in ((None, False), (InferSettings(False), False), (InferSettings(True), True)):
        manifest = structs.replace(tensor_package.manifest, infer=settings)
        loaded = TensorModel.load(manifest, tensor_package.files, threads=1)
        with pytest.raises(InvalidTensor) if refused else nullcontext():
            infer(loaded, x=x)


def test_outputs_that_no_answer_holds_are_refused_before_they_are_copied() -> None:
    shape = to_tensor(np.array([MAX_CHUNK_BYTES // 4, 2]))
    with pytest.raises(TooLong, match=f"outputs of at most {MAX_CHUNK_BYTES} bytes, got {2 * MAX_CHUNK_BYTES}"):
        infer(graph_of(expanding()), shape=shape)


@pytest.mark.parametrize("array", [np.array(["text"]), np.zeros(1, np.complex64)])
def test_an_array_without_a_dtype_of_the_protocol_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(InferenceFailed):
        to_tensor(array)


def test_a_strided_array_becomes_plain_rows() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3).T
    tensor = to_tensor(array)
    assert (tensor.dtype, tensor.shape) == ("int32", [3, 2])
    assert np.array_equal(to_array(tensor), array)
