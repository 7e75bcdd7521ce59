"""What an enclave publishes of its work (docs/operations.md), fetched beside the requests and republished.

It is believed no further than its form: fixed series, models by identifiers, numbers.
"""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import get_args

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from parent.answer import EnclaveProblem
from parent.errors import EnclaveError
from parent.link import EnclaveLink
from strongroom.protocol.constants import MEDIA_METRICS, PATH_METRICS
from strongroom.protocol.errors import ProtocolError
from strongroom.protocol.metrics import BOUNDS, MAX_METRICS_BYTES, OUTCOMES, Metrics, Span

_INTERVAL_S = 15.0
"""The enclave publishes once a minute at most."""
_TIMEOUT_S = 3.0
_PREFIX = "strongroom_enclave_"
_LABELS = ["enclave", "model"]
_WHAT: Mapping[Span, str] = {
    "queue_seconds": "From admission to the begin of the work.",
    "first_token_seconds": "Streams: from admission to the first piece of text.",
    "token_seconds": "Streams that came to their end: the mean time from one token to the next.",
    "batch_texts": "Encoders: texts in the batch that a request begins in.",
    "slots_in_use": "Language models: slots in use once a request has its own.",
}


class EnclaveMetrics:
    """The latest that one enclave published; None while it does not say."""

    def __init__(self, link: EnclaveLink) -> None:
        self._link = link
        self.latest: Metrics | None = None

    async def run(self) -> None:
        """Fetch for ever."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await self.fetch()

    async def fetch(self) -> None:
        """Fetch once."""
        try:
            data = await self._link.fetch(
                PATH_METRICS, media_type=MEDIA_METRICS, max_bytes=MAX_METRICS_BYTES, timeout_s=_TIMEOUT_S
            )
            self.latest = Metrics.from_bytes(data)
        except (EnclaveError, EnclaveProblem, ProtocolError):
            self.latest = None


def families(latest: Mapping[str, Metrics]) -> Iterator[Metric]:
    """For Prometheus, of each enclave by its label. The histograms have no sum: it would tell single requests apart."""
    answers = CounterMetricFamily(_PREFIX + "answers", "Answers by their end.", labels=[*_LABELS, "outcome"])
    spans = {span: HistogramMetricFamily(_PREFIX + span, _WHAT[span], labels=_LABELS) for span in get_args(Span)}
    for enclave, metrics in latest.items():
        for each in metrics.models:
            for series, counts in each.counts.items():
                if series == "answers":
                    for outcome, count in zip(OUTCOMES, counts, strict=True):
                        answers.add_metric([enclave, each.model, outcome], count)
                else:
                    spans[series].add_metric([enclave, each.model], _buckets(series, counts), sum_value=None)
    yield answers
    yield from spans.values()


def _buckets(span: Span, counts: list[int]) -> list[tuple[str, float]]:
    """Upper ends and cumulative counts."""
    ends = [*(str(float(bound)) for bound in BOUNDS[span]), "+Inf"]
    return list(zip(ends, accumulate(counts), strict=True))
