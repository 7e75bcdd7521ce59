"""The walk over the bytes of a ModelProto: iterative, strict, within bounds."""

import struct
from collections import Counter
from typing import NamedTuple

from enclave.engine.graph_scan.limits import (
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_GRAPH_BYTES,
    MAX_KEPT_NUMBERS,
    MAX_MESSAGES,
    MAX_TEXT_BYTES,
)
from enclave.engine.graph_scan.message import Message
from enclave.engine.graph_scan.rules import GraphRejected, Rule
from enclave.engine.graph_scan.schema import MESSAGES, WIRES, Field, Kind
from enclave.engine.graph_scan.wire import FIXED32, FIXED64, LENGTH, VARINT, count_varints, signed, varint

_FIXED = {FIXED32: struct.Struct("<f"), FIXED64: struct.Struct("<d")}


def read_model(data: bytes) -> Message:
    """The ModelProto in `data`; raise GraphRejected.

    Takes time for each field, and memory for what is kept of it: at most some hundred bytes, never a copy of weights.
    """
    if len(data) > MAX_GRAPH_BYTES:
        raise GraphRejected(Rule.COUNT, f"expected at most {MAX_GRAPH_BYTES} bytes, got {len(data)}")
    return _Reader(data).read()


class _Frame(NamedTuple):
    message: Message
    end: int


class _Reader:
    """One cursor, and the messages that it is inside of."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)
        self._fields = 0
        self._messages: Counter[str] = Counter()

    def read(self) -> Message:
        model = Message("model")
        stack = [_Frame(model, len(self._data))]
        while stack:
            message, self._end = stack[-1]
            if self._at == self._end:
                stack.pop()
            elif (opened := self._field(message)) is not None:
                if len(stack) == MAX_DEPTH:
                    raise GraphRejected(Rule.NESTING, f"expected at most {MAX_DEPTH} nested messages, got more")
                stack.append(opened)
        return model

    def _field(self, message: Message) -> _Frame | None:
        """Read one field; return its frame where a message begins."""
        self._spend(1)
        key, self._at = varint(self._data, self._at, self._end)
        field = MESSAGES[message.kind].get(key >> 3)
        if field is None:
            text = f"expected the fields of onnx.proto, got field {key >> 3} in a {message.kind}"
            raise GraphRejected(Rule.FIELD, text)
        if field.refused is not None:
            raise GraphRejected(field.refused, f"expected no {field.name}, got some")
        if not field.many and message.counts.get(field.name):
            raise GraphRejected(Rule.FIELD, f"expected {field.name} once, got it again")
        if field.child is not None:
            return self._open(message, field, field.child, key & 7)
        self._scalar(message, field, key & 7)
        return None

    def _spend(self, fields: int) -> None:
        """A packed number costs as much as one in a field of its own."""
        self._fields += fields
        if self._fields > MAX_FIELDS:
            raise GraphRejected(Rule.COUNT, f"expected at most {MAX_FIELDS} fields, got more")

    def _open(self, message: Message, field: Field, kind: str, wire: int) -> _Frame:
        if wire != LENGTH:
            raise _wrong_wire(field, wire)
        self._messages[kind] += 1
        most = MAX_MESSAGES.get(kind, MAX_FIELDS)
        if self._messages[kind] > most:
            raise GraphRejected(Rule.COUNT, f"expected at most {most} messages {kind}, got more")
        end = self._span()
        child = Message(kind)
        _count(message, field)
        if field.kept:
            message.values.setdefault(field.name, []).append(child)
        return _Frame(child, end)

    def _scalar(self, message: Message, field: Field, wire: int) -> None:
        expected = WIRES[field.kind]
        if wire == LENGTH and expected == LENGTH:
            self._text(message, field)
        elif wire == LENGTH and field.many:
            self._packed(message, field, self._span())
        elif wire == expected:
            _count(message, field)
            self._keep(message, field, self._number(expected))
        else:
            raise _wrong_wire(field, wire)

    def _text(self, message: Message, field: Field) -> None:
        stop = self._span()
        _count(message, field)
        if field.kept and field.kind is Kind.TEXT:
            if stop - self._at > MAX_TEXT_BYTES:
                raise GraphRejected(Rule.COUNT, f"{field.name}: expected at most {MAX_TEXT_BYTES} bytes, got more")
            message.values.setdefault(field.name, []).append(self._data[self._at : stop])
        elif field.kept:
            message.values.setdefault(field.name, []).append(memoryview(self._data)[self._at : stop])
        self._at = stop

    def _packed(self, message: Message, field: Field, stop: int) -> None:
        wire = WIRES[field.kind]
        if wire == VARINT:
            count = count_varints(self._data, self._at, stop)
        else:
            count, rest = divmod(stop - self._at, _FIXED[wire].size)
            if rest:
                raise GraphRejected(Rule.WIRE, f"{field.name}: expected whole numbers of bytes, got a part of one")
        _count(message, field, count)
        self._end = stop
        read = min(count, MAX_KEPT_NUMBERS)
        self._spend(read)
        for _ in range(read):
            self._keep(message, field, self._number(wire))
        self._at = stop

    def _number(self, wire: int) -> int | float:
        if wire == VARINT:
            return signed(self._varint())
        layout = _FIXED[wire]
        if layout.size > self._end - self._at:
            raise GraphRejected(Rule.WIRE, f"expected {layout.size} bytes of a number, got {self._end - self._at}")
        value: float = layout.unpack_from(self._data, self._at)[0]
        self._at += layout.size
        return value

    def _keep(self, message: Message, field: Field, value: float) -> None:
        if field.kept:
            values = message.values.setdefault(field.name, [])
            if len(values) < MAX_KEPT_NUMBERS:
                values.append(value)

    def _span(self) -> int:
        """Where the bytes end whose length is next."""
        length = self._varint()
        if length > self._end - self._at:
            raise GraphRejected(Rule.WIRE, f"expected {length} bytes in a field, got {self._end - self._at}")
        return self._at + length

    def _varint(self) -> int:
        value, self._at = varint(self._data, self._at, self._end)
        return value


def _count(message: Message, field: Field, more: int = 1) -> None:
    message.counts[field.name] = message.counts.get(field.name, 0) + more


def _wrong_wire(field: Field, wire: int) -> GraphRejected:
    return GraphRejected(Rule.WIRE, f"{field.name}: expected its wire type of onnx.proto, got {wire}")
