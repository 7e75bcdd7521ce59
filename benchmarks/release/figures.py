"""What was found, held to the limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from benchmarks.release.crowd import Crowd
from benchmarks.release.envelopes import Envelopes
from benchmarks.release.latency import Latency
from benchmarks.verification.figures import machine

STALLED = 300
GOOD = 100
MAX_ADDED_P50_MS = 5.0
MAX_GOOD_P99_MS = 1000.0


@dataclass(frozen=True)
class Figures:
    """Everything of one run; ``kms_leg`` is how the enclave's TLS to KMS exchanged keys."""

    kms_leg: str
    latency: Latency
    crowd: Crowd
    envelopes: Envelopes

    def misses(self) -> list[str]:
        """What falls short, in words; empty when every limit is reached."""
        return list(self._misses())

    def _misses(self) -> Iterator[str]:
        latency, crowd, envelopes = self.latency, self.crowd, self.envelopes
        if latency.added_p50_ms > MAX_ADDED_P50_MS:
            yield f"key release: expected at most {MAX_ADDED_P50_MS} ms added at p50, got {latency.added_p50_ms:.2f}"
        if crowd.open_at_once < STALLED + GOOD:
            yield f"stalled: expected {STALLED + GOOD} connections open at once, got {crowd.open_at_once}"
        if crowd.good_served < GOOD:
            yield f"stalled: expected {GOOD} good connections served, got {crowd.good_served}"
        if crowd.good_p99_ms is not None and crowd.good_p99_ms >= MAX_GOOD_P99_MS:
            yield f"stalled: expected the good ones' p99 below {MAX_GOOD_P99_MS:.0f} ms, got {crowd.good_p99_ms:.0f}"
        if envelopes.first_kms_calls != envelopes.data_keys:
            yield f"envelopes: expected {envelopes.data_keys} KMS calls first, got {envelopes.first_kms_calls}"
        if envelopes.later_kms_calls:
            yield f"envelopes: expected no KMS call later, got {envelopes.later_kms_calls}"

    def to_json(self) -> str:
        """One line; times in ms to a hundredth."""
        added = {"added_p50_ms": self.latency.added_p50_ms}
        found = {**asdict(self.latency), **added, **asdict(self.crowd), **asdict(self.envelopes)}
        rounded = {name: round(value, 2) if isinstance(value, float) else value for name, value in found.items()}
        return json.dumps({"kms_leg": self.kms_leg, **rounded})

    def table(self) -> str:
        """For people: each figure beside its limit, then the misses, the machine and the day."""
        lines = [f"{name:<44}{value:>10}  {limit}".rstrip() for name, value, limit in self._rows()]
        misses = [f"MISS {miss}" for miss in self.misses()]
        return "\n".join([*lines, *misses, machine(), f"{datetime.now(UTC):%Y-%m-%d}"])

    def _rows(self) -> list[tuple[str, str, str]]:
        latency, crowd, envelopes = self.latency, self.crowd, self.envelopes
        return [
            ("KMS leg", self.kms_leg, ""),
            ("key release, enclave through proxy, p50", f"{latency.release_p50_ms:.2f} ms", ""),
            ("key release, enclave through proxy, p99", f"{latency.release_p99_ms:.2f} ms", ""),
            ("same call, plain boto3 directly, p50", f"{latency.plain_p50_ms:.2f} ms", ""),
            ("same call, plain boto3 directly, p99", f"{latency.plain_p99_ms:.2f} ms", ""),
            ("added at p50", f"{latency.added_p50_ms:.2f} ms", f"<= {MAX_ADDED_P50_MS:.0f} ms"),
            (f"open at once, {STALLED} of them stalled", f"{crowd.open_at_once}", f">= {STALLED + GOOD}"),
            ("good ones served", f"{crowd.good_served}", f"= {GOOD}"),
            (
                "good ones, p99",
                "none" if crowd.good_p99_ms is None else f"{crowd.good_p99_ms:.0f} ms",
                f"< {MAX_GOOD_P99_MS:.0f} ms",
            ),
            (
                f"KMS calls, {envelopes.data_keys} data keys' first requests",
                f"{envelopes.first_kms_calls}",
                f"= {envelopes.data_keys}",
            ),
            (f"KMS calls, {envelopes.later_requests} later requests", f"{envelopes.later_kms_calls}", "= 0"),
        ]
