"""What `inspect` says of a graph: the same as onnxruntime, or the rule that the enclave refuses it by."""

from pathlib import Path

import numpy as np
import pytest

from enclave.engine.graph_scan.rules import Rule
from enclave.engine.sessions import inputs, open_session, outputs
from strongroom.models.inspection import GraphReport, inspect_graph, try_graph
from strongroom.models.package import load_package
from strongroom.models.signature import GraphPort
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder, build_tiny_tensor
from strongroom.protocol.catalogue import ModelManifest
from tests.enclave.engine import bombs
from tests.enclave.engine.graphs import OPSETS, external, identity, model, node, port, weight


def manifest_of(*names: str) -> ModelManifest:
    files = "".join(f'[[files]]\nname = "{name}"\nsize_bytes = 1\nsha256 = "{"0" * 64}"\n' for name in names)
    text = f'id = "m"\nversion = "1"\ntask = "infer"\nlicence = ""\nsource = ""\ngraph = "{names[0]}"\n{files}'
    return ModelManifest.from_bytes(text.encode())


def inspected(graph: bytes, **files: bytes) -> GraphReport:
    return inspect_graph(manifest_of("graph", *files), {"graph": graph, **files})


@pytest.mark.parametrize("build", [build_tiny_decoder, build_tiny_encoder, build_tiny_tensor])
def test_ports_are_those_of_onnxruntime(build: type[Path], tmp_path: Path) -> None:
    _, manifest, paths = load_package(build(tmp_path / "package"))
    files = {name: path.read_bytes() for name, path in paths.items()}
    report, session = inspect_graph(manifest, files), open_session(files[manifest.graph], threads=1)
    types = {"float32": "tensor(float)", "int64": "tensor(int64)"}
    for ours, theirs in ((report.inputs, inputs(session)), (report.outputs, outputs(session))):
        assert [(port.name, types[port.dtype], tuple(port.shape or [])) for port in ours] == [
            (name, port.dtype, port.shape) for name, port in theirs.items()
        ]


def test_operators_are_counted_with_their_domains() -> None:
    add = [node("Add", ["x", "x"], ["a"]), node("Add", ["a", "x"], ["b"])]
    gelu = node("Gelu", ["b"], ["y"], domain="com.microsoft")
    report = inspected(model([*add, gelu], [port("x", "float32", [2])], [port("y", "float32", [2])]))
    assert report.operators == {"Add": 2, "com.microsoft.Gelu": 1}
    assert report.operator_sets == {operators.domain or "ai.onnx": operators.version for operators in OPSETS}
    assert report.rule is None


def test_operators_of_subgraphs_count() -> None:
    report = inspected(bombs.endless_loop())
    assert report.operators["Loop"] == 1
    assert sum(report.operators.values()) > 1


@pytest.mark.parametrize("shape", [None, [], [2, "n", None]], ids=["no shape", "scalar", "all kinds"])
def test_dimensions_are_numbers_symbols_or_nothing(shape: list[int | str | None] | None) -> None:
    x = bombs.unshaped("x", "float32") if shape is None else port("x", "float32", shape)
    report = inspected(model([node("Identity", ["x"], ["y"])], [x], [bombs.unshaped("y", "float32")]))
    assert report.inputs == [GraphPort("x", "float32", shape)]
    assert report.outputs == [GraphPort("y", "float32", None)]


def test_an_input_with_a_value_of_its_own_is_none() -> None:
    own = weight("w", np.ones(2, dtype=np.float32))
    x, w = (port(name, "float32", [2]) for name in "xw")
    report = inspected(model([node("Add", ["x", "w"], ["y"])], [x, w], [port("y", "float32", [2])], [own]))
    assert [each.name for each in report.inputs] == ["x"]


def test_external_data_is_named() -> None:
    graph = model([node("Add", ["x", "w"], ["y"])], [port("x", "float32", [4])], [port("y", "float32", [4])],
                  [external("w", "weights")])  # fmt: skip
    assert inspected(graph, weights=bytes(16), other=b"x").external == ["weights"]


@pytest.mark.parametrize(
    ("graph", "rule"),
    [
        (bombs.giant_dims(), Rule.TENSOR),
        (bombs.deep_subgraphs(), Rule.NESTING),
        (bombs.huge_length(), Rule.WIRE),
        (bombs.external_path("../../etc/passwd"), Rule.EXTERNAL),
        (bombs.expanding_constants(), Rule.EXPANSION),
        (bombs.custom_operator(), Rule.DOMAIN),
        (bombs.model_local_function(), Rule.FUNCTION),
        (b"\x89PNG\r\n\x1a\n", Rule.FIELD),
        (b"", Rule.VERSION),
    ],
    ids=["dims", "depth", "length", "path", "expansion", "operator", "function", "no graph", "nothing"],
)
def test_what_the_enclave_refuses_is_refused_by_the_same_rule(graph: bytes, rule: Rule) -> None:
    report = inspected(graph)
    assert report.rule == rule
    assert str(rule) in (report.refusal or "")
    assert report == GraphReport(rule=report.rule, refusal=report.refusal)


def test_a_probe_says_what_became_of_the_graph() -> None:
    good = identity("float32", [2])
    assert try_graph(manifest_of("graph"), {"graph": good}) == (True, "ran")
    unknown = model([node("NoSuchOperator", ["x"], ["y"])], [port("x", "float32", [2])], [port("y", "float32", [2])])
    assert inspected(unknown).rule is None
    survived, outcome = try_graph(manifest_of("graph"), {"graph": unknown})
    assert (survived, outcome) == (False, "probe: expected a graph that onnxruntime loads, got one that it refuses")
