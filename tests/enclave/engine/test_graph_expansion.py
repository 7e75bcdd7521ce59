"""Small constants that make large tensors are refused, however the size is made; what exporters write is not."""

from typing import Any

import numpy as np
import pytest
from onnx import helper

from enclave.engine.graph_scan.graphs import all_graphs, attributes
from enclave.engine.graph_scan.limits import MAX_KEPT_NUMBERS
from enclave.engine.graph_scan.reader import read_model
from enclave.engine.graph_scan.rules import Rule
from enclave.engine.sessions import open_session
from tests.enclave.engine.bombs import constant, unshaped
from tests.enclave.engine.graphs import model, node, port, weight
from tests.enclave.engine.test_graph_scan import FLOAT_OUT, refusal

HUGE = 1 << 40


def expanding(operator: str, *values: Any, **attributes: Any) -> bytes:
    """The operator over constants; None is an input of the graph, "" one that is left out."""
    given = [value for value in values if value is not None and not isinstance(value, str)]
    weights = [weight(f"c{index}", np.array(value)) for index, value in enumerate(given)]
    names = iter(tensor.name for tensor in weights)
    inputs = ["x" if value is None else "" if isinstance(value, str) else next(names) for value in values]
    ports = [port("x", "float32", ["n"])] if None in inputs or "x" in inputs else []
    return model([node(operator, inputs, ["y"], **attributes)], ports, FLOAT_OUT, weights)


LARGE: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("ConstantOfShape", ([HUGE],), {}),
    ("ConstantOfShape", ([1 << 20, 1 << 20],), {}),
    ("Expand", (np.float32(1), [1, HUGE]), {}),
    ("Expand", (None, [-HUGE]), {}),
    ("Tile", (np.zeros(64, np.float32), [1 << 22]), {}),
    ("Tile", (np.zeros(1 << 12, np.float32), [1 << 16]), {}),
    ("Range", (0, HUGE, 1), {}),
    ("Range", (0.0, 1.0, 1e-12), {}),
    ("Range", (0, -HUGE, -1), {}),
    ("Resize", (np.zeros((1, 1, 8, 8), np.float32), "", np.array([1, 1, 1e5, 1e5], np.float32)), {}),
    ("Resize", (None, "", "", [1, 1, 1 << 20, 1 << 20]), {}),
    ("Upsample", (None, np.array([1, 1, 1e5, 1e5], np.float32)), {}),
    ("Pad", (np.zeros((2, 2), np.float32), [0, 0, 1 << 20, 1 << 20]), {}),
    ("Pad", (None,), {"pads": [0, 0, 1 << 20, 1 << 20]}),
    ("OneHot", (np.zeros(64, np.int64), 1 << 30, [0, 1]), {}),
    ("CenterCropPad", (None, [HUGE]), {}),
    ("AffineGrid", (None, [1, 1, 1 << 20, 1 << 20]), {}),
    ("DFT", (None, HUGE), {}),
    ("HannWindow", (HUGE,), {}),
    ("MelWeightMatrix", (1 << 20, 1 << 20, 8000, 0.0, 4000.0), {}),
    ("ConvTranspose", (None, np.zeros((1, 1, 1), np.float32)), {"output_shape": [HUGE]}),
    ("RandomNormal", (), {"shape": [HUGE]}),
    ("Multinomial", (None,), {"sample_size": HUGE}),
]


@pytest.mark.parametrize(("operator", "values", "attributes"), LARGE)
def test_large_tensors_of_small_constants_are_refused(operator: str, values: Any, attributes: dict[str, Any]) -> None:
    assert refusal(expanding(operator, *values, **attributes)) is Rule.EXPANSION


SMALL: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("ConstantOfShape", ([3, 4],), {}),
    ("ConstantOfShape", (np.zeros(0, np.int64),), {}),
    ("ConstantOfShape", (None,), {}),
    ("Expand", (None, [1, 1024]), {}),
    ("Range", (0, 1024, 1), {}),
    ("Range", (0, None, 1), {}),
    ("Range", (5, 0, 1), {}),
    ("Resize", (None, "", np.array([1, 1, 2, 2], np.float32)), {}),
    ("Pad", (None, [0, 1, 0, 1]), {}),
    ("DFT", (np.zeros((1, 8, 1), np.float32),), {}),
    ("ConvTranspose", (None, np.zeros((1, 1, 1), np.float32)), {}),
    ("Tile", (None, None), {}),
]


@pytest.mark.parametrize(("operator", "values", "attributes"), SMALL)
def test_others_are_not(operator: str, values: Any, attributes: dict[str, Any]) -> None:
    assert refusal(expanding(operator, *values, **attributes)) is None


def sized_by(*nodes: Any, weights: list[Any] | None = None) -> bytes:
    """ConstantOfShape of what the nodes make."""
    return model([*nodes, node("ConstantOfShape", ["n"], ["y"])], [], FLOAT_OUT, weights or [])


def literal(name: str, **attributes: Any) -> Any:
    return node("Constant", [], [name], **attributes)


@pytest.mark.parametrize("size", [1024, HUGE])
def test_sizes_are_followed_through_what_exporters_write(size: int) -> None:
    a, b = literal("a", value_ints=[size]), literal("b", value_int=1)
    graphs = [
        sized_by(literal("n", value_ints=[size])),
        sized_by(literal("n", value=weight("v", np.array([size])))),
        sized_by(a, node("Cast", ["a"], ["n"], to=7)),
        sized_by(a, b, node("Concat", ["a", "a"], ["n"], axis=0)),
        sized_by(literal("s", value_int=size), node("Unsqueeze", ["s", "s"], ["n"])),
        sized_by(a, b, node("Mul", ["a", "b"], ["n"])),
        sized_by(a, b, node("Sub", ["b", "a"], ["m"]), node("Neg", ["m"], ["n"])),
        sized_by(a, literal("z", value_ints=[0]), node("Gather", ["a", "z"], ["n"])),
    ]
    expected = Rule.EXPANSION if size == HUGE else None
    assert [refusal(graph) for graph in graphs] == [expected] * len(graphs)


def test_the_shape_of_a_constant_is_one() -> None:
    weights = [weight("w", np.zeros((3, 5), np.float32))]
    assert refusal(sized_by(node("Shape", ["w"], ["n"]), weights=weights)) is None


def test_sizes_that_cannot_be_computed_are_refused() -> None:
    unknown = node("Sqrt", ["a"], ["n"])
    assert refusal(sized_by(literal("a", value_floats=[4.0]), unknown)) is Rule.EXPANSION
    assert refusal(sized_by(literal("n", value_ints=[1] * 65))) is Rule.EXPANSION
    joined = node("Concat", ["a"] * 65, ["n"], axis=0)
    assert refusal(sized_by(literal("a", value_ints=[1]), joined)) is Rule.EXPANSION
    infinite = expanding("Range", 0.0, float("inf"), 1.0)
    assert refusal(infinite) is Rule.EXPANSION
    assert refusal(expanding("Range", 0, 1, 0)) is Rule.EXPANSION


def expanded(size: list[int]) -> bytes:
    """`buffer.expand(size)` as torch.onnx writes it: Where puts a 1 in the place of each -1."""
    nodes = [
        literal("size", value=constant("t", size)),
        node("Shape", ["size"], ["rank"]),
        node("ConstantOfShape", ["rank"], ["ones"], value=constant("t", [1])),
        literal("minus", value=weight("t", np.array(-1))),
        node("Mul", ["ones", "minus"], ["kept"]),
        node("Equal", ["size", "kept"], ["is_kept"]),
        node("Where", ["is_kept", "ones", "size"], ["sizes"]),
        node("Expand", ["buffer", "sizes"], ["y"]),
    ]
    return model(nodes, [], FLOAT_OUT, [weight("buffer", np.zeros((1, 1, 4), np.float32))])


def test_a_buffer_that_torch_expands_is_taken() -> None:
    assert open_session(expanded([2, 3, -1]), threads=1).run(None, {})[0].shape == (2, 3, 4)
    assert refusal(expanded([2, 3, -1])) is None
    assert refusal(expanded([2, HUGE, -1])) is Rule.EXPANSION


def test_operators_with_too_few_or_too_many_inputs_make_nothing_that_is_known() -> None:
    for operator in ("Add", "Equal", "Where", "Neg", "Gather", "ConstantOfShape"):
        for count in (0, 1, 4):
            known = literal("a", value_ints=[2])
            rule = refusal(sized_by(known, node(operator, ["a"] * count, ["n"])))
            assert rule in (None, Rule.EXPANSION)


def test_numbers_that_wrap_around_are_not_known() -> None:
    cast = [node("Cast", ["a"], ["b"], to=12), node("Cast", ["b"], ["n"], to=7)]
    assert refusal(sized_by(literal("a", value_ints=[-1]), *cast)) is Rule.EXPANSION
    turn = [node("Cast", ["a"], ["b"], to=6), node("Mul", ["b", "b"], ["c"]), node("Cast", ["c"], ["d"], to=7)]
    back = [literal("e", value_ints=[1 << 32]), node("Sub", ["e", "d"], ["n"])]
    assert refusal(sized_by(literal("a", value_ints=[1 << 16]), *turn, *back)) is Rule.EXPANSION


def test_what_was_filled_is_as_large_as_it_is() -> None:
    nodes = [node("ConstantOfShape", ["n"], ["v"]), node("Tile", ["v", "n"], ["y"])]
    assert refusal(model(nodes, [], FLOAT_OUT, [constant("n", [1 << 10])])) is None
    assert refusal(model(nodes, [], FLOAT_OUT, [constant("n", [1 << 20])])) is Rule.EXPANSION


def test_a_constant_is_made_once_and_before_it_is_read() -> None:
    """onnxruntime sorts the nodes, and of two constants of one name it takes the last."""
    size, other, late = literal("n", value_ints=[HUGE]), literal("n", value_ints=[3]), literal("a", value_ints=[HUGE])
    fill = node("ConstantOfShape", ["n"], ["y"])
    for nodes in ([fill, size], [other, fill, size], [node("Cast", ["a"], ["n"], to=7), late, fill]):
        assert refusal(model(nodes, [], FLOAT_OUT)) is Rule.EXPANSION
    assert refusal(model([fill, size], [], FLOAT_OUT, [constant("n", [3])])) is Rule.EXPANSION
    twins = [node("Split", ["w"], ["", ""]) for _ in range(2)]
    assert refusal(model([*twins, other, fill], [], FLOAT_OUT, [constant("w", [3, 3])])) is None


def test_negative_numbers_are_followed() -> None:
    negative = literal("m", value_ints=[-4])
    assert refusal(sized_by(negative, node("Neg", ["m"], ["n"]))) is None


def test_of_a_long_list_of_numbers_the_first_are_kept() -> None:
    graph = model([literal("y", value_ints=[5] * 10_000)], [], [port("y", "int64", [10_000])])
    (placed,) = all_graphs(read_model(graph))
    (attribute,) = attributes(placed.graph)
    assert attribute.count("ints") == 10_000
    assert attribute.numbers("ints") == [5] * MAX_KEPT_NUMBERS


def test_constants_of_the_graph_around_are_seen() -> None:
    inner = helper.make_graph([node("ConstantOfShape", ["n"], ["z"])], "inner", [], [unshaped("z", "float32")])
    choice = node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    for items, rule in ((4, None), (HUGE, Rule.EXPANSION)):
        assert refusal(model([choice], [port("c", "bool", [])], FLOAT_OUT, [constant("n", [items])])) is rule


def test_what_comes_out_of_a_subgraph_is_not_taken_for_a_constant() -> None:
    inner = helper.make_graph([node("Identity", ["x"], ["z"])], "inner", [], [port("z", "int64", [1])])
    choice = node("If", ["c"], ["n"], then_branch=inner, else_branch=inner)
    nodes = [choice, node("ConstantOfShape", ["n"], ["y"])]
    assert refusal(model(nodes, [port("x", "int64", [1])], FLOAT_OUT, [weight("c", np.array(True))])) is None


def test_an_attribute_has_one_value() -> None:
    """Of several, onnxruntime takes the one that the attribute's type names."""
    several = literal("n", value_ints=[HUGE])
    several.attribute[0].t.CopyFrom(constant("t", [3]))
    assert refusal(sized_by(several)) is Rule.FIELD
