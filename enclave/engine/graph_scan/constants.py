"""What is constant in a graph, and the short lists of numbers among it, which name sizes of other tensors.

Not an evaluator: it follows the few operators that exporters put between a constant and a size. Anything else that is
made of constants alone is a constant of unknown value.
"""

import struct
from collections import ChainMap
from collections.abc import Callable, Sequence
from itertools import chain
from math import prod
from operator import add, eq, mul, neg, sub
from typing import NamedTuple

from enclave.engine.graph_scan.limits import MAX_KEPT_NUMBERS
from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.tensors import count_items

Numbers = tuple[int | float, ...]

_FORMATS = {1: "f", 6: "i", 7: "q", 10: "e", 11: "d"}  # of struct, by TensorProto.DataType
_LISTS = {1: "float_data", 6: "int32_data", 7: "int64_data", 11: "double_data"}
_LITERALS = ("f", "i", "floats", "ints")  # value_float, value_int, value_floats, value_ints


class Constant(NamedTuple):
    """A constant: its numbers where they are few and known, its dims where they are known."""

    numbers: Numbers | None = None
    dims: Numbers | None = None

    @property
    def items(self) -> int | float:
        """At least so many; 1 where nobody knows."""
        return max(1, prod(self.dims or ()), len(self.numbers or ()))


Scope = ChainMap[bytes, Constant]
"""Name of a value → constant; values that depend on an input are absent."""


def of_tensor(tensor: Message) -> Constant:
    """An initializer, or the value of a Constant node."""
    items = count_items(tensor)
    numbers = _numbers(tensor, items) if items <= MAX_KEPT_NUMBERS else None
    return Constant(numbers, tuple(tensor.numbers("dims")))


def _numbers(tensor: Message, items: int) -> Numbers | None:
    data_type = tensor.number("data_type")
    if data_type in _FORMATS and (raw := tensor.body("raw_data")):
        return struct.unpack(f"<{items}{_FORMATS[data_type]}", raw)
    listed = tuple(tensor.numbers(_LISTS[data_type])) if data_type in _LISTS else ()
    return listed if len(listed) == items else None


def of_node(node: Message, scope: Scope) -> Constant | None:
    """What a node makes if it is constant, else None; a subgraph can read more than the inputs, so it never is."""
    operands = [scope.get(name) for name in node.texts("input") if name]
    known = [operand for operand in operands if operand is not None]
    if len(known) < len(operands) or any(each.count("g") + each.count("graphs") for each in node.children("attribute")):
        return None
    if node.text("op_type") == b"Constant":
        return _literal(node)
    follow = _FOLLOWED.get(node.text("op_type"))
    found = follow(known, node) if follow is not None and known else None
    return found if found is not None and _small(found) else Constant()


def _small(constant: Constant) -> bool:
    """Numbers of 32 bits: those of a chain of operators must not grow, nor wrap around in the smaller type."""
    return all(abs(number) < 1 << 31 for number in constant.numbers or ())


def _literal(node: Message) -> Constant:
    for attribute in node.children("attribute"):
        if (tensor := attribute.child("t")) is not None:
            return of_tensor(tensor)
        for name in _LITERALS:
            if (count := attribute.count(name)) and count <= MAX_KEPT_NUMBERS:
                return Constant(tuple(attribute.numbers(name)), (count,))
    return Constant()


def _reshaped(operands: Sequence[Constant], node: Message) -> Constant:
    return Constant(operands[0].numbers)


def _same(operands: Sequence[Constant], node: Message) -> Constant:
    return operands[0]


def _cast(operands: Sequence[Constant], node: Message) -> Constant | None:
    """To a type that holds negative numbers too, and others than 0 and 1."""
    to = next((each.number("i") for each in node.children("attribute") if each.text("name") == b"to"), 0)
    return operands[0] if to in _FORMATS else None


def _joined(operands: Sequence[Constant], node: Message) -> Constant | None:
    lists = [operand.numbers for operand in operands if operand.numbers is not None]
    if len(lists) < len(operands) or sum(map(len, lists)) > MAX_KEPT_NUMBERS:
        return None
    return Constant(tuple(chain.from_iterable(lists)))


def _shape(operands: Sequence[Constant], node: Message) -> Constant | None:
    dims = operands[0].dims
    return None if dims is None else Constant(dims, (len(dims),))


def _filled(operands: Sequence[Constant], node: Message) -> Constant | None:
    """ConstantOfShape: all items are its value, or zero."""
    shape, value = operands[0].numbers, _literal(node).numbers if node.children("attribute") else (0,)
    if shape is None:
        return None
    return Constant(value[:1] * int(prod(shape)) if value and abs(prod(shape)) <= MAX_KEPT_NUMBERS else None, shape)


def _gathered(operands: Sequence[Constant], node: Message) -> Constant | None:
    source, indices = operands[0].numbers, operands[-1].numbers
    if source is None or indices is None or not all(0 <= index < len(source) for index in indices):
        return None
    return Constant(tuple(source[int(index)] for index in indices))


def _itemwise(arity: int, operation: Callable[..., float]) -> "_Follow":
    """The operation on each item of so many operands, among which those of one item go with every item."""

    def follow(operands: Sequence[Constant], node: Message) -> Constant | None:
        lists = [operand.numbers for operand in operands if operand.numbers is not None]
        longest = max(map(len, lists), default=0)
        if not len(lists) == len(operands) == arity or any(len(each) not in (1, longest) for each in lists):
            return None
        return Constant(tuple(map(operation, *(each * longest if len(each) == 1 else each for each in lists))))

    return follow


def _chosen(condition: float, left: float, right: float) -> float:
    return left if condition else right


_Follow = Callable[[Sequence[Constant], Message], Constant | None]

_FOLLOWED: dict[bytes, _Follow] = {
    **dict.fromkeys((b"Unsqueeze", b"Squeeze", b"Reshape"), _reshaped),
    b"Identity": _same,
    b"Cast": _cast,
    b"Concat": _joined,
    b"Shape": _shape,
    b"ConstantOfShape": _filled,
    b"Gather": _gathered,
    b"Add": _itemwise(2, add),
    b"Sub": _itemwise(2, sub),
    b"Mul": _itemwise(2, mul),
    b"Neg": _itemwise(1, neg),
    b"Equal": _itemwise(2, eq),
    b"Where": _itemwise(3, _chosen),
}
