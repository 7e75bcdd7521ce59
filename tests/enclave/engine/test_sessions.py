"""Sessions load what fits, and say nothing of what they were fed."""

import sys

import numpy as np
import pytest

from enclave.engine.errors import InferenceFailed, InvalidTensor, ModelRejected
from enclave.engine.sessions import Port, inputs, open_session, outputs, require_ports, run_session
from tests.enclave.engine.graphs import identity, model, node, port, weight

PORTS = {"x": Port("x", "tensor(float)", ("b", 4))}


def gather() -> bytes:
    table = weight("table", np.arange(4, dtype=np.float32))
    return model(
        [node("Gather", ["table", "x"], ["y"])], [port("x", "int64", ["n"])], [port("y", "float32", ["n"])], [table]
    )


@pytest.mark.parametrize("graph", [b"", b"no graph at all", identity("float32", [4])[:-8]])
def test_bytes_that_are_no_graph_are_rejected_in_silence(graph: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelRejected):
        open_session(graph, threads=1)
    assert capfd.readouterr() == ("", "")


def test_what_onnxruntime_would_warn_about_stays_unsaid(capfd: pytest.CaptureFixture[str]) -> None:
    graph = model([node("NonZero", ["x"], ["y"])], [port("x", "float32", [4])], [port("y", "int64", [1, 3])])
    answer = run_session(open_session(graph, threads=1), {"x": np.array([1, 0, 0, 1], np.float32)})
    assert answer["y"].shape == (1, 2)
    assert capfd.readouterr() == ("", "")


def test_unknown_operators_are_rejected_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    graph = model([node("Exec", ["x"], ["y"], domain="evil")], [port("x", "int64", [1])], [port("y", "int64", [1])])
    with pytest.raises(ModelRejected):
        open_session(graph, threads=1)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "expected",
    [
        [],
        [Port("y", "tensor(float)", (None, 4))],
        [*PORTS.values(), Port("y", "tensor(float)", ())],
        [Port("x", "tensor(int64)", (None, 4))],
        [Port("x", "tensor(float)", (None,))],
        [Port("x", "tensor(float)", (None, 5))],
        [Port("x", "tensor(float)", (2, 4))],
    ],
)
def test_other_ports_are_rejected(expected: list[Port]) -> None:
    with pytest.raises(ModelRejected):
        require_ports(PORTS, expected)


def test_the_expected_ports_are_accepted() -> None:
    require_ports(PORTS, [Port("x", "tensor(float)", (None, 4))])


def test_the_ports_of_a_graph() -> None:
    session = open_session(identity("float32", ["b", 4]), threads=1)
    assert inputs(session) == PORTS
    assert list(outputs(session)) == ["y"]


def test_a_value_out_of_range_is_an_invalid_tensor_that_is_not_quoted(capfd: pytest.CaptureFixture[str]) -> None:
    session = open_session(gather(), threads=1)
    with pytest.raises(InvalidTensor) as caught:
        run_session(session, {"x": np.array([31337])})
    assert "31337" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert capfd.readouterr() == ("", "")


def test_other_failures_of_the_runtime_are_typed() -> None:
    with pytest.raises(InferenceFailed):
        run_session(open_session(gather(), threads=1), {"x": [object()]})  # type: ignore[dict-item]  # the fault


def test_a_session_does_not_keep_the_bytes_that_it_was_opened_from() -> None:
    """They hold all weights: a model would be in memory twice."""
    graph = identity("float32", [4])
    before = sys.getrefcount(graph)
    session = open_session(graph, threads=1)
    assert sys.getrefcount(graph) == before
    assert inputs(session)
