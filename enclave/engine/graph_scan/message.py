"""A message that the reader made: what the rules need of it, by the names of onnx.proto."""

from typing import Any

from enclave.engine.graph_scan.schema import MESSAGES

_NAMES = {kind: frozenset(field.name for field in fields.values()) for kind, fields in MESSAGES.items()}


class Message:
    """The fields of one message; absent ones are empty, as in protobuf."""

    __slots__ = ("counts", "kind", "values")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.counts: dict[str, int] = {}
        self.values: dict[str, list[Any]] = {}

    def count(self, name: str) -> int:
        """How often the field stands there: of packed numbers, how many."""
        return self.counts.get(self._known(name), 0)

    def children(self, name: str) -> list["Message"]:
        """The messages of a field, singular or repeated."""
        return self.values.get(self._known(name), [])

    def child(self, name: str) -> "Message | None":
        """The message of a singular field."""
        return next(iter(self.children(name)), None)

    def number(self, name: str) -> int:
        """An integer, signed; 0 where there is none."""
        found: int = next(iter(self.values.get(self._known(name), [])), 0)
        return found

    def numbers(self, name: str) -> list[int | float]:
        """The first MAX_KEPT_NUMBERS of a list, or the one number of a singular field."""
        return self.values.get(self._known(name), [])

    def text(self, name: str) -> bytes:
        """A text as it was written, in no encoding; empty where there is none."""
        return next(iter(self.texts(name)), b"")

    def texts(self, name: str) -> list[bytes]:
        """The texts of a repeated field."""
        return self.values.get(self._known(name), [])

    def body(self, name: str) -> memoryview:
        """A view on bytes, empty where there are none."""
        return next(iter(self.values.get(self._known(name), [])), memoryview(b""))

    def _known(self, name: str) -> str:
        if name not in _NAMES[self.kind]:
            raise KeyError(f"expected a field of a {self.kind}, got {name}")
        return name
