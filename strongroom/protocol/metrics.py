"""The answer to GET /v1/metrics: how an enclave fares, in counts that hold no content (review R21).

Canonical CBOR of `Metrics`. What a series is, and where its buckets end, is fixed here for both sides: the wire holds
no name but a model's id, and nothing but numbers beside it.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from msgspec import Meta, Struct

from strongroom.protocol import canonical
from strongroom.protocol.errors import Malformed
from strongroom.protocol.names import Identifier

Span = Literal["queue_seconds", "first_token_seconds", "token_seconds", "batch_texts", "slots_in_use"]
Series = Literal["answers", Span]

BOUNDS: Final[Mapping[Span, tuple[float, ...]]] = {
    "queue_seconds": (0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10),
    "first_token_seconds": (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    "token_seconds": (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
    "batch_texts": (1, 2, 4, 8, 16),
    "slots_in_use": (1, 2, 4, 8, 16),
}
"""The upper ends of the buckets, inclusive; one more is open. Whoever is counted is counted once in each series."""
OUTCOMES: Final = ("complete", "failed", "cancelled")
"""What "answers" counts, in this order."""
BUCKETS: Final[Mapping[Series, int]] = {
    "answers": len(OUTCOMES),
    **{span: len(bounds) + 1 for span, bounds in BOUNDS.items()},
}
"""How many numbers a series has."""
MAX_METRICS_BYTES: Final = 64 << 10

_Count = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]


class ModelMetrics(Struct, frozen=True, forbid_unknown_fields=True):
    """The series of one model that have been published so far."""

    model: Identifier
    counts: dict[Series, Annotated[list[_Count], Meta(max_length=16)]]
    """By bucket or outcome, not cumulative; since the boot."""


class Metrics(Struct, frozen=True, forbid_unknown_fields=True):
    """All that is published."""

    models: Annotated[list[ModelMetrics], Meta(max_length=64)]

    def to_bytes(self) -> bytes:
        """The one encoding."""
        return canonical.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read at most MAX_METRICS_BYTES. Raises Malformed."""
        metrics = canonical.decode(data, cls, "metrics")
        ids = [each.model for each in metrics.models]
        if len(set(ids)) != len(ids):
            raise Malformed("metrics: expected each model once, got one twice")
        for each in metrics.models:
            for series, counts in each.counts.items():
                if len(counts) != BUCKETS[series]:
                    raise Malformed(f"metrics: {series}: expected {BUCKETS[series]} numbers, got {len(counts)}")
        return metrics
