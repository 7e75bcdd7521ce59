"""What the load generator is told to do, and what it says afterwards."""

from __future__ import annotations

import msgspec

from benchmarks.serving.judging import Tally
from benchmarks.serving.targets import Address, Plain, Sealed


class Texts(msgspec.Struct, frozen=True, tag=True):
    """Embed the texts of a folder, one in each request, by `clients` clients at a time."""

    address: Address
    pids: list[int]
    """Whose CPU time is the server's."""
    folder: str
    clients: int
    warm_s: float
    seconds: float
    """How long answers count, once it is warm."""


class Pairs(msgspec.Struct, frozen=True, tag=True):
    """One client for each of two addresses; they take turns with the same text, `count` times."""

    addresses: tuple[Address, Address]
    folder: str
    count: int


class Streams(msgspec.Struct, frozen=True, tag=True):
    """Each prompt by a client of its own, streamed, all at the same time; `expected` are the whole answers."""

    address: Sealed
    pids: list[int]
    prompts: list[str]
    expected: list[str]
    tokens: int
    """Of each answer."""


class Unbatched(msgspec.Struct, frozen=True, tag=True):
    """The same of a plain server that does not stream, tokens to tokens."""

    address: Plain
    pids: list[int]
    prompts: list[list[int]]
    expected: list[list[int]]
    tokens: int


Order = Texts | Pairs | Streams | Unbatched


class Report(msgspec.Struct, frozen=True):
    """What the clients saw; "each" is a text, or a token of a stream."""

    tally: Tally
    errors: dict[str, int] = {}
    """Why answers were lost: names of exceptions."""
    per_s: float = 0.0
    p50_ms: float = 0.0
    """Of whole answers."""
    cpu_ms: float = 0.0
    """CPU time of the servers for each."""
    client_cpu_ms: float = 0.0
    added_p50_ms: float | None = None
    """Pairs: the median of how much longer the first address took than the second; None where all are lost."""
    first_ms: float | None = None
    """Streams: the median of the times to the first text; None where all are lost."""
    pace_per_s: float = 0.0
    """Streams: the median of a stream's tokens a second after its first text."""
