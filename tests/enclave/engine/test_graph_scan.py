"""The scan refuses what it should by the rule it should, in bounds, and takes what exporters write."""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from enclave.engine.errors import ModelRejected
from enclave.engine.graph_scan.header import DOMAINS, IR_VERSIONS
from enclave.engine.graph_scan.rules import GraphRejected, Rule
from enclave.engine.graph_scan.scan import scan
from enclave.engine.graph_scan.schema import MESSAGES, WIRES
from enclave.engine.graph_scan.tensors import LAYOUTS
from enclave.engine.sessions import open_session
from tests.enclave.engine import bombs
from tests.enclave.engine.bombs import unshaped
from tests.enclave.engine.graphs import identity, model, node, parse, port
from tests.enclave.engine.packages import Package
from tests.enclave.engine.protobuf import field, varint
from tests.real_models import real_model

BOMBS: list[tuple[Callable[[], bytes], Rule]] = [
    (bombs.giant_dims, Rule.TENSOR),
    (bombs.dims_that_wrap_around, Rule.TENSOR),
    (bombs.deep_subgraphs, Rule.NESTING),
    (bombs.a_million_nodes, Rule.COUNT),
    (bombs.a_million_attributes, Rule.COUNT),
    (bombs.a_flood_of_strings, Rule.COUNT),
    (bombs.a_flood_of_numbers, Rule.COUNT),
    (bombs.huge_varint, Rule.WIRE),
    (bombs.huge_length, Rule.WIRE),
    (lambda: bombs.external_path("../weights.bin"), Rule.EXTERNAL),
    (bombs.expanding_constants, Rule.EXPANSION),
    (bombs.squares_of_squares, Rule.EXPANSION),
    (bombs.custom_operator, Rule.DOMAIN),
    (bombs.model_local_function, Rule.FUNCTION),
    (bombs.sparse_giant, Rule.SPARSE),
    (bombs.training_information, Rule.TRAINING),
    (bombs.configuring_metadata, Rule.METADATA),
]

FLOAT_OUT = [unshaped("y", "float32")]


def refusal(graph: bytes) -> Rule | None:
    try:
        scan(graph, {})
    except GraphRejected as rejected:
        return rejected.rule
    return None


@pytest.mark.parametrize(("bomb", "rule"), BOMBS)
def test_a_bomb_is_refused_by_its_rule_in_bounded_time(bomb: Callable[[], bytes], rule: Rule) -> None:
    graph = bomb()
    begun = time.process_time()
    assert refusal(graph) is rule
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(("bomb", "rule"), BOMBS)
def test_and_in_bounded_memory(bomb: Callable[[], bytes], rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enclave.engine.graph_scan.reader.MAX_FIELDS", 1 << 16)  # or tracemalloc would take a minute
    graph = bomb()
    tracemalloc.start()
    try:
        assert refusal(graph) is rule
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.parametrize("name", ["decoder_package", "encoder_package", "tensor_package"])
def test_the_tiny_models_are_accepted(name: str, request: pytest.FixtureRequest) -> None:
    package: Package = request.getfixturevalue(name)
    assert scan(package.graph, {}) == frozenset()


@pytest.mark.real_model
@pytest.mark.parametrize("name", ["minilm-l6", "smollm2-135m"])
def test_the_real_models_are_accepted_without_a_copy(name: str) -> None:
    graph = Package.from_directory(real_model(name)).graph
    tracemalloc.start()
    try:
        scan(graph, {})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


# The tables, against the onnx package and onnxruntime.

NAMES = {
    "model": "ModelProto", "opset": "OperatorSetIdProto", "entry": "StringStringEntryProto", "graph": "GraphProto",
    "node": "NodeProto", "attribute": "AttributeProto", "tensor": "TensorProto", "value": "ValueInfoProto",
    "type": "TypeProto", "tensor type": "TypeProto.Tensor", "shape": "TensorShapeProto",
    "dimension": "TensorShapeProto.Dimension", "sequence type": "TypeProto.Sequence", "map type": "TypeProto.Map",
    "annotation": "TensorAnnotation",
}  # fmt: skip


def described(name: str) -> Any:
    outer, _, inner = name.partition(".")
    descriptor = getattr(onnx, outer, None) or getattr(onnx.onnx_ml_pb2, outer)
    return descriptor.DESCRIPTOR.nested_types_by_name[inner] if inner else descriptor.DESCRIPTOR


def test_every_message_is_compared() -> None:
    assert NAMES.keys() == MESSAGES.keys()


@pytest.mark.parametrize("kind", NAMES)
def test_the_schema_is_that_of_the_onnx_package(kind: str) -> None:
    expected = {each.number: each for each in described(NAMES[kind]).fields}
    assert MESSAGES[kind].keys() == expected.keys()
    for number, ours in MESSAGES[kind].items():
        theirs = expected[number]
        assert ours.name == theirs.name
        if ours.refused is not None:
            continue
        assert ours.many == theirs.is_repeated
        if ours.child is not None:
            assert NAMES[ours.child].split(".")[-1] in (theirs.message_type.name, "Sequence")
            continue
        assert theirs.message_type is None
        types = {theirs.TYPE_FLOAT: 5, theirs.TYPE_DOUBLE: 1, theirs.TYPE_STRING: 2, theirs.TYPE_BYTES: 2}
        assert WIRES[ours.kind] == types.get(theirs.type, 0)


def versioned(ir_version: int, domain: str, opset: int) -> bytes:
    built = parse(identity("float32", [4]))
    built.ir_version = ir_version
    others = [each for each in built.opset_import if each.domain != domain]
    del built.opset_import[:]
    built.opset_import.extend([*others, helper.make_opsetid(domain, opset)])
    return bytes(built.SerializeToString())


@pytest.mark.parametrize("domain", ["", "ai.onnx.ml", "com.microsoft"])
def test_the_newest_operator_sets_are_those_that_onnxruntime_takes(domain: str) -> None:
    newest = DOMAINS[domain.encode()][-1]
    open_session(versioned(9, domain, newest), threads=1)
    assert refusal(versioned(9, domain, newest)) is None
    assert refusal(versioned(9, domain, newest + 1)) is Rule.VERSION
    with pytest.raises(ModelRejected):
        open_session(versioned(9, domain, newest + 1), threads=1)


def test_the_default_domain_has_two_names() -> None:
    assert DOMAINS[b"ai.onnx"] == DOMAINS[b""]
    built = parse(identity("float32", [4]))
    built.opset_import[0].domain = "ai.onnx"
    assert refusal(built.SerializeToString()) is None
    built.opset_import[0].version = DOMAINS[b""][-1] + 1  # which onnxruntime would take
    assert refusal(built.SerializeToString()) is Rule.VERSION


def test_the_newest_ir_version_is_the_one_that_onnxruntime_takes() -> None:
    newest = IR_VERSIONS[-1]
    open_session(versioned(newest, "", 17), threads=1)
    assert refusal(versioned(newest, "", 17)) is None
    assert refusal(versioned(newest + 1, "", 17)) is Rule.VERSION
    with pytest.raises(ModelRejected):
        open_session(versioned(newest + 1, "", 17), threads=1)


def test_an_operator_set_twice_is_refused_and_one_that_is_not_used_is_not() -> None:
    built = parse(identity("float32", [4]))
    built.opset_import.add(domain="ai.onnx.training", version=1)
    assert refusal(built.SerializeToString()) is None
    built.opset_import.add(domain="ai.onnx", version=17)
    assert refusal(built.SerializeToString()) is Rule.VERSION


@pytest.mark.parametrize("domain", ["ai.onnx.training", "ai.onnx.contrib", "com.microsoft.nchwc", "AI.ONNX", " "])
def test_other_domains_are_refused_in_subgraphs_too(domain: str) -> None:
    inner = helper.make_graph([node("Exec", [], ["z"], domain=domain)], "inner", [], [port("z", "float32", [4])])
    choice = node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    assert refusal(model([choice], [port("c", "bool", [])], [port("y", "float32", [4])])) is Rule.DOMAIN
    several = node("Any", ["c"], ["y"], bodies=[inner, inner])
    assert refusal(model([several], [port("c", "bool", [])], [port("y", "float32", [4])])) is Rule.DOMAIN


# The wire format.

SOUND = identity("float32", [4])


@pytest.mark.parametrize(
    ("graph", "rule"),
    [
        (b"", Rule.VERSION),
        (b"\x08\x09", Rule.FIELD),  # no graph
        (b"\x3a", Rule.WIRE),  # field 7 without a length
        (b"\x3a\x05ab", Rule.WIRE),  # and with one that is too long
        (b"\x38\x01", Rule.WIRE),  # as a number
        (b"\x3b\x3c", Rule.WIRE),  # as a group
        (b"\x3e\x00", Rule.WIRE),  # of a wire type that does not exist
        (b"\x00\x00", Rule.FIELD),  # field 0
        (b"\xf8\x3f\x00", Rule.FIELD),  # field 1023
        (b"\x88\x00\x09", Rule.WIRE),  # a key that is longer than needed
        (b"\x08\x89\x00", Rule.WIRE),  # a value that is
        (b"\x08" + b"\xff" * 9 + b"\x02", Rule.WIRE),  # 65 bits
        (b"\x08\x09\x08\x09", Rule.FIELD),  # IR version twice
        (SOUND + field(7, b""), Rule.FIELD),  # two graphs
        (SOUND[:-1], Rule.WIRE),
        (field(7, field(5, field(1, b"\x80"))), Rule.WIRE),  # packed dims, the last without an end
        (field(7, field(5, field(4, b"abc"))), Rule.WIRE),  # packed floats, the last without an end
        (field(7, field(5, b"\x25abc")), Rule.WIRE),  # a float of three bytes
        (field(7, field(1, field(4, b"x" * 5000))), Rule.COUNT),
    ],
)
def test_what_is_no_sound_protobuf_is_refused(graph: bytes, rule: Rule) -> None:
    assert refusal(graph) is rule


def test_a_length_may_not_reach_beyond_the_message_around_it() -> None:
    assert refusal(field(7, b"\x0a\x05") + b"abcde") is Rule.WIRE


def test_more_bytes_than_protobuf_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enclave.engine.graph_scan.reader.MAX_GRAPH_BYTES", 10)
    assert refusal(SOUND) is Rule.COUNT


def test_packed_numbers_cost_as_many_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a list of them in each of 2^18 attributes is a minute of the scan, and gibibytes."""
    numbers = field(7, field(1, field(5, field(8, b"\x01" * 5000)) * 20))
    monkeypatch.setattr("enclave.engine.graph_scan.reader.MAX_FIELDS", 1000)
    assert refusal(SOUND) is None
    assert refusal(numbers) is Rule.COUNT


def test_packed_numbers_are_read_as_those_in_fields_of_their_own() -> None:
    """As writers of proto3 write them."""
    dims = b"".join(map(varint, (2, 3)))
    tensor = field(1, dims) + b"\x10\x01" + field(8, b"w") + field(9, bytes(24))
    built = parse(SOUND)
    built.graph.initializer.append(TensorProto.FromString(tensor))
    plain = built.SerializeToString()
    assert refusal(plain) is None
    assert refusal(plain.replace(b"\x08\x02\x08\x03\x10\x01", b"\x0a\x02\x02\x03\x10\x01")) is None
    assert refusal(plain.replace(b"\x08\x02\x08\x03\x10\x01", b"\x0a\x02\x02\x04\x10\x01")) is Rule.TENSOR


# Tensors.


def with_tensor(tensor: Any) -> bytes:
    return model([node("Identity", ["x"], ["y"])], [port("x", "float32", [4])], FLOAT_OUT, [tensor])


@pytest.mark.parametrize("data_type", LAYOUTS)
@pytest.mark.parametrize("items", [0, 1, 3, 8])
def test_data_in_lists_is_what_the_onnx_package_writes(data_type: int, items: int) -> None:
    values = [1, 0, 1, 1, 0, 0, 1, 0][:items]
    tensor = helper.make_tensor("w", data_type, [items], values)
    assert refusal(with_tensor(tensor)) is None
    tensor.dims[0] = items + 5
    assert refusal(with_tensor(tensor)) is Rule.TENSOR


@pytest.mark.parametrize("data_type", LAYOUTS)
def test_raw_data_is_of_the_right_length(data_type: int) -> None:
    size = (6 * LAYOUTS[data_type].bits + 7) // 8
    for length, rule in ((size, None), (size - 1, Rule.TENSOR), (size + 1, Rule.TENSOR), (0, Rule.TENSOR)):
        tensor = TensorProto(name="w", data_type=data_type, dims=[2, 3], raw_data=bytes(length))
        assert refusal(with_tensor(tensor)) is rule


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(name="w", data_type=1, dims=[-1], raw_data=b""),
        TensorProto(name="w", data_type=1, dims=[-1, -1], raw_data=bytes(4)),
        TensorProto(name="w", data_type=0, dims=[1], raw_data=bytes(4)),
        TensorProto(name="w", data_type=99, dims=[1], raw_data=bytes(4)),
        TensorProto(name="w", data_type=1, dims=[1] * 65, raw_data=bytes(4)),
        TensorProto(name="w", data_type=1, dims=[1], raw_data=bytes(4), float_data=[0]),
        TensorProto(name="w", data_type=1, dims=[1], double_data=[0]),
        TensorProto(name="w", data_type=8, dims=[2], string_data=[b"a"]),
        TensorProto(name="w", data_type=8, dims=[1], raw_data=b"a"),
        TensorProto(name="w", data_type=1, dims=[1], segment=TensorProto.Segment(begin=0, end=1)),
    ],
)
def test_tensors_that_are_not_what_they_say_are_refused(tensor: Any) -> None:
    assert refusal(with_tensor(tensor)) is Rule.TENSOR


def test_strings_are_taken_but_not_in_floods(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = TensorProto(name="w", data_type=8, dims=[100], string_data=[b""] * 100)
    assert refusal(with_tensor(tensor)) is None
    monkeypatch.setattr("enclave.engine.graph_scan.scan.SPARE_WEIGHT_BYTES", 0)
    assert refusal(with_tensor(tensor)) is Rule.WEIGHTS


def test_tensors_in_attributes_and_subgraphs_are_looked_at() -> None:
    bad = TensorProto(name="w", data_type=1, dims=[2], raw_data=bytes(4))
    assert refusal(model([node("Constant", [], ["y"], value=bad)], [], FLOAT_OUT)) is Rule.TENSOR
    assert refusal(model([node("Constant", [], ["y"], values=[bad])], [], FLOAT_OUT)) is Rule.TENSOR
    inner = helper.make_graph([node("Identity", ["w"], ["z"])], "inner", [], [port("z", "float32", [2])], [bad])
    choice = node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    assert refusal(model([choice], [port("c", "bool", [])], FLOAT_OUT)) is Rule.TENSOR
