"""Buffers of a chain, taken together as one run of bytes."""

from collections.abc import Sequence


def split(pieces: Sequence[memoryview], size: int) -> tuple[list[memoryview], list[memoryview]]:
    """The first `size` bytes (fewer, if there are fewer), and what follows."""
    front: list[memoryview] = []
    rest: list[memoryview] = []
    for piece in pieces:
        front.append(piece[:size])
        rest.append(piece[size:])
        size -= len(front[-1])
    return [piece for piece in front if piece], [piece for piece in rest if piece]


def total(pieces: Sequence[memoryview]) -> int:
    """How many bytes there are."""
    return sum(map(len, pieces))


def write(pieces: Sequence[memoryview], content: bytes) -> None:
    """Fill the buffers, from the first on, with content that fits."""
    for piece in pieces:
        part, content = content[: len(piece)], content[len(piece) :]
        piece[: len(part)] = part
