"""Jinja for templates of strangers: jinja2's immutable sandbox, narrowed to what chat templates use, its work counted.

Whatever a template reads is counted, each value by its size, as are the turns of its loops and its calls. What makes
much out of little is refused: multiplied and formatted texts, large numbers, long separators and indents. So neither
its time nor what it holds in memory outgrows MAX_WORK.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn, TypeGuard

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_WORK = 1 << 17
"""Values, turns of loops and calls in one rendering, together; 16 characters are as much as one value."""

_MAX_NUMBER = 1 << 53
_MAX_ARGUMENT = 64
"""Characters, or a number."""
_BRIEF = frozenset({"join", "map", "tojson", "trim"})
"""Filters whose arguments can cost as much for each item, or character, as they are long."""
_LOOK_UPS = frozenset({"count", "first", "last", "length"})
_FILTERS = frozenset(
    {
        "capitalize", "count", "d", "default", "first", "int", "items", "join", "last", "length", "list",
        "lower", "map", "rejectattr", "selectattr", "string", "title", "tojson", "trim", "upper",
    }
)  # fmt: skip
_GLOBALS = frozenset({"dict", "namespace", "range"})
_STRING_METHODS = frozenset(
    {
        "capitalize", "endswith", "find", "isdigit", "isspace", "lower", "lstrip", "removeprefix",
        "removesuffix", "rstrip", "split", "startswith", "strip", "title", "upper",
    }
)  # fmt: skip


class Absent(jinja2.Undefined):
    """What is not there. A name cannot be used; but of a message templates ask for members that only some have, such as
    `tool_calls`: an absent one is false, empty, and equal to nothing, as with Hugging Face.
    """

    __slots__ = ()

    def _require_member(self) -> None:
        if not isinstance(self._undefined_obj, dict) or self._undefined_exception is not jinja2.UndefinedError:
            self._fail_with_undefined_error()

    def __bool__(self) -> bool:
        self._require_member()
        return False

    def __iter__(self) -> Iterator[Any]:
        self._require_member()
        return iter(())

    def __len__(self) -> int:
        self._require_member()
        return 0

    def __str__(self) -> str:
        self._require_member()
        return ""

    def __eq__(self, other: object) -> bool:
        self._require_member()
        return isinstance(other, Absent)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        self._require_member()
        return hash(Absent)


class Sandbox(ImmutableSandboxedEnvironment):
    """The part of Jinja that chat templates use."""

    intercepted_binops = frozenset({"+", "-", "*", "%", "**"})
    work = 0
    """What this rendering has cost so far."""

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=Absent,
            extensions=["jinja2.ext.loopcontrols"],
        )
        self.filters = {name: self.filters[name] for name in _FILTERS} | {"read": self._read, "turns": self._turns}
        del self.tests["in"]  # whose argument would be read again for each item of `selectattr`
        self.globals = {name: self.globals[name] for name in _GLOBALS} | {"raise_exception": _raise_exception}

    def counted(self, source: str) -> jinja2.Template:
        """Compile a template so that its work is counted."""
        tree = self.parse(source)
        _Counting().generic_visit(tree)
        return self.from_string(tree)

    @pass_context  # so that jinja2 takes nothing for a constant
    def _read(self, _: Context, value: Any) -> Any:
        self._weigh(value)
        return value

    def _turns(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._spend(1)
            yield item

    def _weigh(self, value: Any) -> None:
        if isinstance(value, list | tuple):
            for item in value:
                self._weigh(item)
        elif isinstance(value, dict):
            for pair in value.items():
                self._weigh(pair)
        self._spend(1 + (len(value) // 16 if isinstance(value, str | range) else 0))

    def _spend(self, work: int) -> None:
        self.work += work
        if self.work > MAX_WORK:
            raise SecurityError(f"expected a template that does work of at most {MAX_WORK}, got more")

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        self._spend(1)
        if isinstance(text := getattr(obj, "__self__", None), str):
            self._weigh(text)
            if any(isinstance(argument, str) and len(argument) > _MAX_ARGUMENT for argument in args):
                raise SecurityError(f"expected at most {_MAX_ARGUMENT} characters for a method of a text, got more")
        return super().call(context, obj, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr not in _STRING_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """No str.format: jinja2's own replacement for it pads without limit."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or not (numbers or operator == "+"):
            raise SecurityError(f"operator {operator} is not for chat templates")
        result = super().call_binop(context, operator, left, right)
        if numbers and abs(result) > _MAX_NUMBER:
            raise SecurityError(f"expected numbers up to {_MAX_NUMBER}, got a larger one")
        return result


class _Counting(NodeTransformer):
    """Has each value counted that a template reads, but for those in which it only looks something up."""

    def visit(self, node: nodes.Node, *_: Any, **__: Any) -> nodes.Node:
        if isinstance(node, nodes.CallBlock):
            raise SecurityError("call blocks are not for chat templates")
        if isinstance(node, nodes.Filter):
            _require_brief(node)
        self.generic_visit(node)
        if isinstance(node, nodes.For):
            node.iter = _filtered(node.iter, "turns")
        if _looks_up(node):
            node.node = _unread(node.node)
        return _filtered(node, "read") if _is_value(node) else node


def _looks_up(node: nodes.Node) -> TypeGuard[nodes.Getattr | nodes.Getitem | nodes.Filter]:
    """Whether it takes as long for a long value as for a short one; a slice copies."""
    if isinstance(node, nodes.Filter):
        return node.name in _LOOK_UPS
    return isinstance(node, nodes.Getattr) or (
        isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Slice)
    )


def _unread(node: nodes.Expr | None) -> Any:
    return node.node if isinstance(node, nodes.Filter) and node.name == "read" else node


def _is_value(node: nodes.Node) -> bool:
    unread = isinstance(node, nodes.Const | nodes.Slice | nodes.NSRef)
    return isinstance(node, nodes.Expr) and not unread and getattr(node, "ctx", "load") == "load"


def _require_brief(node: nodes.Filter) -> None:
    """Raise SecurityError for a filter that makes much of long arguments."""
    arguments = [*node.args, *(keyword.value for keyword in node.kwargs), node.dyn_args, node.dyn_kwargs]
    if node.name in _BRIEF and not all(map(_is_brief, arguments)):
        raise SecurityError(f"expected short constants as arguments of {node.name}, got others")


def _is_brief(node: nodes.Expr | None) -> bool:
    value = node.value if isinstance(node, nodes.Const) else node
    return len(value) <= _MAX_ARGUMENT if isinstance(value, str) else value in (None, *range(_MAX_ARGUMENT))


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _raise_exception(message: object) -> NoReturn:
    """What templates call to refuse a conversation (Hugging Face's convention); the text stays in the model."""
    raise jinja2.TemplateError(str(message))
