"""DER as a tree that can be written back wrongly (X.690): enough for certificates, whose tags have one byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x02, 0x03, 0x04, 0x05, 0x06
BOOLEAN, UTF8, PRINTABLE, UTC_TIME, GENERALIZED_TIME = 0x01, 0x0C, 0x13, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
_CONSTRUCTED = 0x20


@dataclass
class Node:
    """One element: ``children`` of a constructed one, ``content`` of a primitive one.

    ``length_bytes`` states the length in the long form with so many bytes; ``claimed`` states another length.
    """

    tag: int
    content: bytes = b""
    children: list[Node] = field(default_factory=list)
    length_bytes: int = 0
    claimed: int | None = None
    indefinite: bool = False

    def to_bytes(self) -> bytes:
        inside = self.content + b"".join(child.to_bytes() for child in self.children)
        if self.indefinite:
            return bytes([self.tag, 0x80]) + inside + b"\0\0"
        length = len(inside) if self.claimed is None else self.claimed
        return bytes([self.tag]) + _length(length, self.length_bytes) + inside

    def whole(self) -> Iterator[Node]:
        """This element and everything inside it."""
        yield self
        for child in self.children:
            yield from child.whole()

    def become(self, other: Node) -> None:
        """Turn into ``other``, in place."""
        self.__dict__.update(other.__dict__)


def parse(data: bytes) -> Node:
    """Read one sound element."""
    [node] = _nodes(data)
    return node


def bit_string(data: bytes) -> Node:
    """A bit string of whole bytes."""
    return Node(BIT_STRING, b"\0" + data)


def integer(value: int) -> Node:
    """A whole number of either sign, in as few bytes as it takes."""
    return Node(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> Node:
    """An object identifier."""
    first, second, *rest = map(int, dotted.split("."))
    return Node(OID, b"".join(_base_128(number) for number in (40 * first + second, *rest)))


def sequence(*children: Node) -> Node:
    """A SEQUENCE of ``children``."""
    return Node(SEQUENCE, children=list(children))


def _nodes(data: bytes) -> list[Node]:
    nodes, at = [], 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            width = length & 0x7F
            length, at = int.from_bytes(data[at : at + width], "big"), at + width
        inside, at = data[at : at + length], at + length
        nodes.append(Node(tag, children=_nodes(inside)) if tag & _CONSTRUCTED else Node(tag, inside))
    return nodes


def _length(length: int, length_bytes: int) -> bytes:
    if length < 0x80 and not length_bytes:
        return bytes([length])
    width = max(length_bytes, (length.bit_length() + 7) // 8)
    return bytes([0x80 | width]) + length.to_bytes(width, "big")


def _base_128(number: int) -> bytes:
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(0x80 | number & 0x7F)
    return bytes(reversed(groups))
