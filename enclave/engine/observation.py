"""What is counted of the work on a model: numbers in fixed buckets, never content, and one of each task in each series.

One, since the number of observations must tell nothing that the host does not know: it sees each request pass, but not
how many texts or tokens are in it. What of the counts leaves the enclave, and when, is `enclave.serving.metrics`'s.
"""

import threading
from bisect import bisect_left
from collections.abc import Mapping

from strongroom.protocol.metrics import BOUNDS, BUCKETS, OUTCOMES, Series, Span

Counts = Mapping[Series, tuple[int, ...]]


class ModelObserver:
    """The counts of one model; any thread may observe."""

    def __init__(self) -> None:
        self._counts = {series: [0] * buckets for series, buckets in BUCKETS.items()}
        self._lock = threading.Lock()

    def observe(self, span: Span, value: float) -> None:
        """Count the task by this value of it: seconds, texts or slots."""
        self._count(span, bisect_left(BOUNDS[span], value))

    def answered(self, outcome: str) -> None:
        """Count the answer by its outcome, one of OUTCOMES."""
        self._count("answers", OUTCOMES.index(outcome))

    def counts(self) -> Counts:
        """All series now."""
        with self._lock:
            return {series: tuple(counts) for series, counts in self._counts.items()}

    def _count(self, series: Series, bucket: int) -> None:
        with self._lock:
            self._counts[series][bucket] += 1


class Observer:
    """The counts of each model that was loaded since the boot; no other name is ever counted."""

    def __init__(self) -> None:
        self._models: dict[str, ModelObserver] = {}

    def of(self, model_id: str) -> ModelObserver:
        """The one of a model that is loaded; of another, one that nobody reads."""
        return self._models.get(model_id) or ModelObserver()

    def add(self, model_id: str) -> ModelObserver:
        """The one of a model that is being loaded, with what was counted before it was evicted."""
        return self._models.setdefault(model_id, ModelObserver())

    def counts(self) -> dict[str, Counts]:
        """All series of all models now."""
        models = list(self._models.items())  # another thread may add one
        return {model_id: observer.counts() for model_id, observer in models}
