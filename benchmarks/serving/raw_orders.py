"""What raw onnxruntime is told to do, and what it says afterwards; whoever tells it has no onnxruntime itself."""

from __future__ import annotations

import msgspec

TEXTS, EXPECTED = "texts.json", "expected.npy"


class Setting(msgspec.Struct, frozen=True):
    """How raw onnxruntime is used: one session for each thread, so many threads of its own for each, a batch."""

    sessions: int
    threads: int
    batch: int
    arena: bool

    def __str__(self) -> str:
        arena = "with" if self.arena else "without"
        return f"{self.sessions} x {self.threads} threads, batches of {self.batch}, {arena} arena"


class Make(msgspec.Struct, frozen=True, tag=True):
    """Write `number` texts of `tokens` tokens and their vectors into `folder`; the texts are raced from then on."""

    tokens: int
    number: int
    folder: str


class Race(msgspec.Struct, frozen=True, tag=True):
    """Run for so long."""

    setting: Setting
    seconds: float


class Speed(msgspec.Struct, frozen=True):
    """How fast that was; nothing after Make."""

    per_s: float = 0.0
    cpu_ms: float = 0.0


class Generate(msgspec.Struct, frozen=True):
    """The likeliest `new` tokens after each prompt, with `rows` rows at a time."""

    prompts: list[list[int]]
    new: int
    rows: int


class Answers(msgspec.Struct, frozen=True):
    """The tokens, and what they took."""

    tokens: list[list[int]]
    seconds: float
    cpu_s: float
    first_s: float
    """From the beginning until the first rows have their first token."""
