"""What the enclave publishes of its counts, and when (review R21).

The host can ask before and after any request. So what it gets changes at fixed instants only, whoever asks when; and a
series changes only by `sample` tasks or more at once. What is left, for a host that sends most of those tasks itself,
is in docs/threat-model.md.
"""

import asyncio
from contextlib import suppress

from enclave.engine.observation import Observer
from strongroom.protocol.metrics import Metrics, ModelMetrics, Series


class PublishedMetrics:
    """The counts as they were last published. Use it on one event loop."""

    def __init__(self, observer: Observer, *, every_s: int, sample: int) -> None:
        """Publish every `every_s` seconds what has counted `sample` tasks more, or nothing."""
        self._observer, self._every_s, self._sample = observer, every_s, sample
        self._published: dict[str, dict[Series, tuple[int, ...]]] = {}

    async def run(self) -> None:
        """Publish for ever, but at an instant when memory is short: whose request takes it must not end this."""
        while True:
            await asyncio.sleep(self._every_s)
            with suppress(MemoryError):
                self.publish()

    def publish(self) -> None:
        """Take over each series that has its sample; the others stay as they were."""
        for model_id, counts in self._observer.counts().items():
            published = self._published.setdefault(model_id, {})
            for series, numbers in counts.items():
                if sum(numbers) - sum(published.get(series, ())) >= self._sample:
                    published[series] = numbers

    def to_bytes(self) -> bytes:
        """The answer to whoever asks, the same until the next instant."""
        models = [
            ModelMetrics(model_id, {series: list(numbers) for series, numbers in published.items()})
            for model_id, published in sorted(self._published.items())
            if published
        ]
        return Metrics(models).to_bytes()
