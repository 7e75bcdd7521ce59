"""How many, in words for people."""

from __future__ import annotations


def counted(count: int, one: str, more: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count} {one if count == 1 else more}"


def counted_leaves(count: int) -> str:
    """``1 leaf``, ``2 leaves``."""
    return counted(count, "leaf", "leaves")
