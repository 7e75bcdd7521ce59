"""What was found, held to the limits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from benchmarks.verification.figures import machine

MAX_RATIO: Final = {1 << 10: 1.3, 1 << 20: 1.1}
"""Bytes of padded plaintext → how often sealing may take the time of the same bytes by hand."""
MIN_STREAM: Final = 0.8
MAX_RECEIPT_US: Final = 60.0


@dataclass(frozen=True)
class Exchange:
    """Medians of one request and its response."""

    bare_us: float
    by_hand_us: float
    sealing_us: float
    whole_us: float

    @property
    def ratio(self) -> float:
        """Sealing to the same bytes by hand."""
        return self.sealing_us / self.by_hand_us

    @property
    def bare_ratio(self) -> float:
        """Sealing to the bare calls."""
        return self.sealing_us / self.bare_us


@dataclass(frozen=True)
class Stream:
    """Medians of one chunk."""

    bare_us: float
    by_hand_us: float
    sealing_us: float

    @property
    def speed(self) -> float:
        """How much of the speed of the same frames by hand is left."""
        return self.by_hand_us / self.sealing_us

    @property
    def bare_speed(self) -> float:
        """How much of the speed of the bare calls is left."""
        return self.bare_us / self.sealing_us


@dataclass(frozen=True)
class Receipt:
    """One receipt."""

    p50_us: float
    p99_us: float


@dataclass(frozen=True)
class Figures:
    """All of them."""

    exchanges: Mapping[int, Exchange]
    """By bytes of padded plaintext."""
    stream: Stream
    receipt: Receipt

    def misses(self) -> list[str]:
        """What falls short, in words; empty when every limit is reached."""
        return list(self._misses())

    def _misses(self) -> Iterator[str]:
        for size, limit in MAX_RATIO.items():
            if (ratio := self.exchanges[size].ratio) > limit:
                yield f"exchange {size >> 10} KiB: expected at most {limit} of the same by hand, got {ratio:.3f}"
        if self.stream.speed < MIN_STREAM:
            yield f"stream: expected at least {MIN_STREAM} of the speed by hand, got {self.stream.speed:.3f}"
        if self.receipt.p50_us > MAX_RECEIPT_US:
            yield f"receipt: expected at most {MAX_RECEIPT_US:.0f} µs, got {self.receipt.p50_us:.1f}"

    def to_json(self) -> str:
        """One line; times in µs to a tenth, ratios to a thousandth."""
        exchanges = {str(size): _rounded(found, "ratio", "bare_ratio") for size, found in self._sizes()}
        stream = _rounded(self.stream, "speed", "bare_speed")
        return json.dumps({"exchange": exchanges, "stream": stream, "receipt": _rounded(self.receipt)})

    def table(self) -> str:
        """For people: each figure beside its limit, then the misses, the machine and the day."""
        misses = [f"MISS {miss}" for miss in self.misses()]
        return "\n".join([*self._lines(), *misses, machine(), f"{datetime.now(UTC):%Y-%m-%d}"])

    def _lines(self) -> Iterator[str]:
        yield _line("µs", "bare", "by hand", "sealing", "whole", "to bare", "by hand", "limit")
        for size, found in self._sizes():
            limit = f"<= {MAX_RATIO[size]}" if size in MAX_RATIO else ""
            ratios = (f"{found.bare_ratio:.3f}", f"{found.ratio:.3f}")
            yield _line(f"exchange, {size >> 10} KiB", *_columns(found), *ratios, limit)
        speeds = (f"{self.stream.bare_speed:.3f}", f"{self.stream.speed:.3f}")
        yield _line("stream, each 64 KiB", *_columns(self.stream), "", *speeds, f">= {MIN_STREAM}")
        p50_us, p99_us = _columns(self.receipt)
        yield _line("receipt", "", "", p50_us, "", "", "", f"<= {MAX_RECEIPT_US:.0f}") + f"  (p99 {p99_us})"

    def _sizes(self) -> list[tuple[int, Exchange]]:
        return sorted(self.exchanges.items())


def _rounded(found: Exchange | Stream | Receipt, *ratios: str) -> dict[str, float]:
    times = {name: round(value, 1) for name, value in vars(found).items()}
    return times | {name: round(getattr(found, name), 3) for name in ratios}


def _columns(found: Exchange | Stream | Receipt) -> list[str]:
    return [f"{value:.1f}" for value in vars(found).values()]


def _line(name: str, *columns: str) -> str:
    *numbers, limit = columns
    return (f"{name:<20}" + "".join(f"{number:>9}" for number in numbers) + f"  {limit}").rstrip()
