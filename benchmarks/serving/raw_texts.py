"""Raw onnxruntime in a process of its own: no HTTP, no batching of requests, nothing but runs on tokens.

    python -m benchmarks.serving.raw_texts PACKAGE

It also makes the questions and what each has for an answer: its vector when it is run alone.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.peers.encoder import Encoder
from benchmarks.serving.questions import texts_of
from benchmarks.serving.raw_orders import EXPECTED, TEXTS, Make, Race, Setting, Speed
from benchmarks.serving.workers import obey


class Raw:
    """The sessions that were opened so far, and the texts in tokens."""

    def __init__(self, package: Path) -> None:
        self._package = package
        self._encoders: dict[tuple[int, bool], list[Encoder]] = {}
        self._texts: Sequence[list[int]] = []

    def obey(self, order: Make | Race) -> Speed:
        """Do what is ordered."""
        return self._make(order) if isinstance(order, Make) else self._race(order.setting, order.seconds)

    def _make(self, order: Make) -> Speed:
        [encoder] = self._opened(Setting(1, 1, 1, arena=True))
        texts = texts_of(order.tokens, order.number, lambda text: len(encoder.tokens(text)))
        self._texts = [encoder.tokens(text) for text in texts]
        folder = Path(order.folder)
        (folder / TEXTS).write_text(json.dumps(texts))
        np.save(folder / EXPECTED, np.concatenate([encoder.vectors([text]) for text in self._texts]))
        return Speed()

    def _opened(self, setting: Setting) -> list[Encoder]:
        encoders = self._encoders.setdefault((setting.threads, setting.arena), [])
        while len(encoders) < setting.sessions:
            encoders.append(Encoder(self._package, setting.threads, arena=setting.arena))
        return encoders[: setting.sessions]

    def _race(self, setting: Setting, seconds: float) -> Speed:
        done: list[int] = []
        encoders = self._opened(setting)
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        threads = [
            threading.Thread(target=self._run, args=(encoder, setting.batch, begun_s + seconds, done))
            for encoder in encoders
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
        return Speed(sum(done) / took_s, 1000 * cpu_s / sum(done))

    def _run(self, encoder: Encoder, batch: int, until_s: float, done: list[int]) -> None:
        count = 0
        while time.perf_counter() < until_s or not count:
            first = count % (len(self._texts) - batch + 1)
            encoder.vectors(self._texts[first : first + batch])
            count += batch
        done.append(count)


if __name__ == "__main__":
    obey(Make | Race, Raw(Path(sys.argv[1])).obey)  # type: ignore[arg-type]  # a union is a type to msgspec
