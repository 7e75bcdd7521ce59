"""Mutations that know nothing of the format: bytes flipped, inserted, cut, moved."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x5F, 0x7F, 0x9F, 0xBF, 0xC2, 0xD2, 0xF6, 0xFB, 0x30, 0x84, 0xA0)


def mutated(rng: Random, data: bytes, other: bytes) -> bytes:
    """``data`` after one such change; ``other`` lends bytes to a splice."""
    if not data:
        return rng.randbytes(rng.randint(1, 8))
    return rng.choice(_MUTATIONS)(rng, data, other)


def _span(rng: Random, data: bytes, longest: int = 64) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.randint(1, longest))


def _flip(rng: Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwrite(rng: Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data, 8)
    return data[:start] + bytes(rng.choice(INTERESTING) for _ in range(end - start)) + data[end:]


def _insert(rng: Random, data: bytes, other: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.randbytes(rng.randint(1, 16)) + data[at:]


def _delete(rng: Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _truncate(rng: Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _splice(rng: Random, data: bytes, other: bytes) -> bytes:
    at = rng.randint(0, len(data))
    spliced = data[:at] + other[rng.choice((at, rng.randint(0, len(other)))) :]
    return data if spliced == other else spliced  # a cut where both begin alike lends all: another sound document


def _repeat(rng: Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data, rng.choice((4, 64, 1024)))
    return data[:end] + data[start:end] * rng.choice((1, 1, 2, 30)) + data[end:]


def _append(rng: Random, data: bytes, other: bytes) -> bytes:
    return data + rng.choice((b"\0", b"\xff", other, data, rng.randbytes(rng.randint(1, 40_000))))


_MUTATIONS: tuple[Callable[[Random, bytes, bytes], bytes], ...] = (
    *(_flip, _flip, _flip, _flip, _overwrite, _overwrite, _insert, _delete),
    *(_truncate, _splice, _splice, _repeat, _append),
)
