"""Raw onnxruntime's slot loop in a process of its own (decoder_loop.py).

python -m benchmarks.serving.raw_streams PACKAGE CONTEXT ROWS …
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.serving.decoder_loop import DecoderLoop
from benchmarks.serving.raw_orders import Answers, Generate
from benchmarks.serving.workers import obey

THREADS = 2


class Raw:
    """A loop for each number of rows."""

    def __init__(self, package: Path, context: int, rows: Iterable[int]) -> None:
        graph = package / "model.onnx"
        self._loops = {count: DecoderLoop(graph, threads=THREADS, rows=count, context=context) for count in rows}

    def obey(self, order: Generate) -> Answers:
        """Run the prompts."""
        read_s: list[float] = []
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        tokens = self._loops[order.rows].generate(
            order.prompts, order.new, has_read=lambda: read_s.append(time.perf_counter() - begun_s)
        )
        took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
        return Answers(tokens, took_s, cpu_s, read_s[0])


if __name__ == "__main__":
    package, context, *rows = sys.argv[1:]
    obey(Generate, Raw(Path(package), int(context), map(int, rows)).obey)
