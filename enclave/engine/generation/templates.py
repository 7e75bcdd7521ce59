"""Chat templates: Jinja text that came with a model, run as untrusted code.

A template sees the roles of a conversation and markers in place of its contents (prompts.py), never what a client
wrote. It runs in jinja2's immutable sandbox, further narrowed to what chat templates use; the expressions that make
much out of little (multiplied strings, large numbers, padding, formatting) are refused, and loops, calls and the output
are bounded. What they can still build in memory does not depend on a client's text, so loading a model meets it first.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from enclave.engine.errors import InvalidRequest, ModelRejected

MAX_PROMPT_CHARACTERS = 256 << 10
MAX_WORK = 100_000
"""Turns of loops and calls in one rendering, together."""

_MAX_NUMBER = 1 << 53

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


class _Sandbox(ImmutableSandboxedEnvironment):
    """The part of Jinja that chat templates use."""

    intercepted_binops = frozenset({"*", "%", "**"})
    work = 0
    """The turns and calls of this rendering so far."""

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            extensions=["jinja2.ext.loopcontrols"],
        )
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.globals = {name: self.globals[name] for name in _GLOBALS} | {"raise_exception": _raise_exception}

    def bounded(self, source: str) -> jinja2.Template:
        """Compile a template whose loops are counted."""
        tree = self.parse(source)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Call(nodes.EnvironmentAttribute("turns"), [loop.iter], [], None, None)
        return self.from_string(tree)

    def turns(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items, each counted."""
        for item in items:
            self._count()
            yield item

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        self._count()
        return super().call(context, obj, *args, **kwargs)

    def _count(self) -> None:
        self.work += 1
        if self.work > MAX_WORK:
            raise SecurityError(f"expected at most {MAX_WORK} turns of loops and calls, got more")

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr not in _STRING_METHODS:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """No str.format: jinja2's own replacement for it pads without limit."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError(f"operator {operator} is not for chat templates")
        if abs(number := super().call_binop(context, operator, left, right)) > _MAX_NUMBER:
            raise SecurityError(f"expected numbers up to {_MAX_NUMBER}, got a larger one")
        return number


def _raise_exception(message: object) -> NoReturn:
    """What templates call to refuse a conversation (Hugging Face's convention); the text stays in the model."""
    raise jinja2.TemplateError(str(message))


class ChatTemplate:
    """A compiled chat template; not thread-safe.

    It is given `messages` (each with `role` and `content`), `add_generation_prompt` true, and `tools` and `documents`
    none; any other name is an error where the template uses it.
    """

    def __init__(self, source: str) -> None:
        """Compile the template; raise ModelRejected if it does not compile, or refuses one message of a user."""
        try:
            self._sandbox = _Sandbox()
            self._template = self._sandbox.bounded(source)
            self.render(["user"], ["content"])
        except (jinja2.TemplateError, InvalidRequest, RecursionError) as error:
            raise ModelRejected(
                f"template: expected one that renders a user's message, got {type(error).__name__}"
            ) from None

    def render(self, roles: Sequence[str], contents: Sequence[str]) -> str:
        """The prompt's text, of at most MAX_PROMPT_CHARACTERS; raise InvalidRequest if the template refuses."""
        messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
        pieces: list[str] = []
        characters = self._sandbox.work = 0
        try:
            for piece in self._template.generate(
                messages=messages, add_generation_prompt=True, tools=None, documents=None
            ):
                characters += len(piece)
                if characters > MAX_PROMPT_CHARACTERS:
                    break
                pieces.append(piece)
        except Exception:
            raise InvalidRequest(
                "expected messages that the model's chat template takes, got ones it refuses; "
                "check the order of the roles"
            ) from None
        if characters > MAX_PROMPT_CHARACTERS:
            raise InvalidRequest(f"expected a prompt of at most {MAX_PROMPT_CHARACTERS} characters, got more")
        return "".join(pieces)
