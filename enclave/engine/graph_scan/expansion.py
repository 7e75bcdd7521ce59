"""Nodes that make a large tensor of small constants: bombs at load, where onnxruntime folds constants.

For the operators whose result is as large as a number says, the size is computed where the number is constant. Refused
is one above MAX_EXPANDED_ITEMS, and one that cannot be computed though everything is constant.

Not found are chains of operators that grow step by step (Concat of a value with itself, an outer product, Gather of
many indices, loops), sizes computed by operators that `constants` does not follow, and sizes that come with a request.
onnxruntime's own bound on folded constants and the probe meet the first two before the graph is used; the probe also
counts what a session keeps of constants, whoever made them.
"""

import math
from collections import ChainMap
from collections.abc import Callable, Iterable, Sequence, Set
from itertools import chain

from enclave.engine.graph_scan.constants import Constant, Numbers, Scope, of_node, of_tensor
from enclave.engine.graph_scan.graphs import Placed
from enclave.engine.graph_scan.limits import MAX_EXPANDED_ITEMS
from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.rules import GraphRejected, Rule

_Size = Callable[[Sequence[Constant | None], Message], float | None]


def check_expansion(graphs: Sequence[Placed]) -> None:
    """Raise GraphRejected for the first node that makes too much, or nobody knows how much, of constants."""
    scopes: list[Scope] = []
    for graph, outer in graphs:
        scope: Scope = ChainMap() if outer is None else scopes[outer].new_child()
        scopes.append(scope)
        for tensor in graph.children("initializer"):
            scope[tensor.text("name")] = of_tensor(tensor)
        _check_nodes(graph, scope)


def _check_nodes(graph: Message, scope: Scope) -> None:
    """Check each node, and put what is constant into the scope."""
    read: set[bytes] = set()
    for node in graph.children("node"):
        made = of_node(node, scope)
        _check(node, scope, constant=made is not None)
        read.update(node.texts("input"))
        if made is not None:
            _define(scope, [name for name in node.texts("output") if name], made, read)


def _define(scope: Scope, names: Sequence[bytes], made: Constant, read: Set[bytes]) -> None:
    """Constants in order: onnxruntime takes nodes in any, and of several constants of one name the last."""
    if not (read.isdisjoint(names) and scope.maps[0].keys().isdisjoint(names)):
        raise GraphRejected(Rule.EXPANSION, "expected constants made once and before they are read, got others")
    scope.update(dict.fromkeys(names, made))


def _check(node: Message, scope: Scope, *, constant: bool) -> None:
    size_of = _EXPANDING.get(node.text("op_type"))
    if size_of is None:
        return
    items = _finite(size_of, [scope.get(name) for name in node.texts("input")], node)
    if items is None and constant:
        raise GraphRejected(Rule.EXPANSION, "expected constants whose size can be computed, got others")
    if items is not None and items > MAX_EXPANDED_ITEMS:
        raise GraphRejected(Rule.EXPANSION, f"expected at most {MAX_EXPANDED_ITEMS} items made of constants, got more")


def _finite(size_of: _Size, operands: Sequence[Constant | None], node: Message) -> float | None:
    try:
        return size_of(operands, node)
    except (IndexError, OverflowError, ValueError, ZeroDivisionError):
        return None


def _numbers(operands: Sequence[Constant | None], index: int) -> Numbers | None:
    operand = operands[index] if index < len(operands) else None
    return None if operand is None else operand.numbers


def _items(operands: Sequence[Constant | None], index: int) -> float:
    """Items of an operand: at least one where nobody knows."""
    operand = operands[index] if index < len(operands) else None
    return 1 if operand is None else operand.items


def _product(*indexes: int, times: int | None = None) -> _Size:
    """As many items as the product of the numbers in those inputs, times the items of another."""

    def size(operands: Sequence[Constant | None], node: Message) -> float | None:
        lists = [_numbers(operands, index) for index in indexes if index < len(operands)]
        known = [numbers for numbers in lists if numbers is not None]
        if len(known) < len(lists):
            return None
        return _volume(chain.from_iterable(known)) * (1 if times is None else _items(operands, times))

    return size


def _volume(numbers: Iterable[int | float]) -> float:
    """A dimension of -1 stands for another one, and makes nothing smaller."""
    return math.prod(map(abs, numbers))


def _range(operands: Sequence[Constant | None], node: Message) -> float | None:
    start, limit, step = (_numbers(operands, index) for index in range(3))
    if not (start and limit and step):
        return None
    return math.ceil((limit[0] - start[0]) / step[0])


def _resized(operands: Sequence[Constant | None], node: Message) -> float | None:
    sizes, scales = _numbers(operands, 3), _numbers(operands, 2 if len(operands) > 2 else 1)
    if sizes:
        return _volume(sizes)
    return _volume(scales) * _items(operands, 0) if scales else None


def _padded(operands: Sequence[Constant | None], node: Message) -> float | None:
    pads = _numbers(operands, 1) or _attribute(node, b"pads")
    if not pads:
        return None
    axes = len(pads) // 2
    return math.prod(max(1, before + after + 1) for before, after in zip(pads[:axes], pads[axes:], strict=True))


def _shape_attribute(name: bytes) -> _Size:
    def size(operands: Sequence[Constant | None], node: Message) -> float | None:
        return _volume(_attribute(node, name) or ())

    return size


def _attribute(node: Message, name: bytes) -> Numbers | None:
    for attribute in node.children("attribute"):
        if attribute.text("name") == name:
            return tuple(attribute.numbers("ints") or attribute.numbers("i"))
    return None


_EXPANDING: dict[bytes, _Size] = {
    b"ConstantOfShape": _product(0),
    b"Expand": _product(1),
    b"Tile": _product(1, times=0),
    b"Range": _range,
    b"Resize": _resized,
    b"Upsample": _resized,
    b"Pad": _padded,
    b"OneHot": _product(1, times=0),
    b"CenterCropPad": _product(1),
    b"AffineGrid": _product(1),
    b"DFT": _product(1),
    b"HannWindow": _product(0),
    b"HammingWindow": _product(0),
    b"BlackmanWindow": _product(0),
    b"MelWeightMatrix": _product(0, 1),
    b"MaxUnpool": _product(2),
    b"ConvTranspose": _shape_attribute(b"output_shape"),
    b"RandomNormal": _shape_attribute(b"shape"),
    b"RandomUniform": _shape_attribute(b"shape"),
    b"Multinomial": _shape_attribute(b"sample_size"),
}
