"""How much is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Rounds are turns of all sides, of which medians are taken."""

    encoder: str
    decoder: str
    texts: dict[int, Sequence[int]]
    """Tokens of a text → numbers of clients, of which the largest is a multiple of all."""
    rounds: int
    warm_s: float
    seconds: float
    """Of one turn."""
    batches: Sequence[int]
    """That raw onnxruntime tries."""
    pairs: int
    """Turns of one client, for the latency."""
    lone_rounds: int
    """Of one stream: they are short, so there are more of them."""
    stream_rounds: int
    unbatched_rounds: int
    new_tokens: int
    quality: bool
    """Whether to compare the decoder with its float32: the tiny ones are not quantised."""


FULL = Plan(
    encoder="minilm-l6",
    decoder="smollm2-135m",
    texts={128: (16, 64), 32: (16, 64)},
    rounds=5,
    warm_s=0.5,
    seconds=4.0,
    batches=(1, 2, 3, 4, 6, 8, 12, 16, 32),
    pairs=400,
    lone_rounds=15,
    stream_rounds=5,
    unbatched_rounds=2,
    new_tokens=128,
    quality=True,
)

SHORT = Plan(
    encoder="tiny-encoder",
    decoder="tiny-decoder",
    texts={32: (4, 8)},
    rounds=1,
    warm_s=0.1,
    seconds=0.3,
    batches=(1, 4),
    pairs=10,
    lone_rounds=1,
    stream_rounds=1,
    unbatched_rounds=1,
    new_tokens=16,
    quality=False,
)
