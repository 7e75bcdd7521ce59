"""CBOR as a tree that can be written back wrongly (RFC 8949 section 3): longer heads, lying lengths, other forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
_WIDTHS = (1, 2, 4, 8)


@dataclass
class Item:
    """One data item. ``argument`` is a number, a tag or a simple value; of strings and containers it is what they hold.

    ``width`` is the number of bytes after the initial one (0: as few as it takes); ``claimed`` is the length to state
    instead of the true one.
    """

    major: int
    argument: int = 0
    content: bytes = b""
    children: list[Item] = field(default_factory=list)
    width: int = 0
    indefinite: bool = False
    claimed: int | None = None

    def to_bytes(self) -> bytes:
        inside = self.content + b"".join(child.to_bytes() for child in self.children)
        if self.indefinite:
            chunk = head(self.major, len(self.content)) if self.content else b""
            return bytes([self.major << 5 | 31]) + chunk + inside + b"\xff"
        return head(self.major, self._argument(), self.width) + inside

    def whole(self) -> Iterator[Item]:
        """This item and everything inside it."""
        yield self
        for child in self.children:
            yield from child.whole()

    def become(self, other: Item) -> None:
        """Turn into ``other``, in place."""
        self.__dict__.update(other.__dict__)

    def _argument(self) -> int:
        if self.claimed is not None:
            return self.claimed
        lengths = {BYTES: len(self.content), TEXT: len(self.content), ARRAY: len(self.children)}
        return {**lengths, MAP: len(self.children) // 2}.get(self.major, self.argument)


def head(major: int, argument: int, width: int = 0) -> bytes:
    """The head of an item, in ``width`` bytes after the first even if fewer would do."""
    if not width and argument < 24:
        return bytes([major << 5 | argument])
    width = width or next(each for each in _WIDTHS if argument < 1 << 8 * each)
    truncated = argument % (1 << 8 * width)
    return bytes([major << 5 | 24 + _WIDTHS.index(width)]) + truncated.to_bytes(width, "big")


def parse(data: bytes) -> Item:
    """Read one sound item without tags."""
    item, _ = _item(data, 0)
    return item


def _item(data: bytes, at: int) -> tuple[Item, int]:
    major, info, at = data[at] >> 5, data[at] & 31, at + 1
    if info == 31:
        return _indefinite(data, at, major)
    width = 0 if info < 24 else _WIDTHS[info - 24]
    argument = int.from_bytes(data[at : at + width], "big") if width else info
    at += width
    if major in (BYTES, TEXT):
        return Item(major, content=data[at : at + argument]), at + argument
    if major not in (ARRAY, MAP):
        return Item(major, argument), at
    children = []
    for _ in range(argument * (2 if major == MAP else 1)):
        child, at = _item(data, at)
        children.append(child)
    return Item(major, children=children), at


def _indefinite(data: bytes, at: int, major: int) -> tuple[Item, int]:
    children = []
    while data[at] != 0xFF:
        child, at = _item(data, at)
        children.append(child)
    return Item(major, children=children, indefinite=True), at + 1
