"""Time of a language model, as tests let it pass: step by step."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from enclave.engine.generation.graph import DecoderGraph


class Steps:
    """A gate in front of each step of the graph, which counts the rows of those that passed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate = threading.Semaphore(0)
        self.rows: list[int] = []
        step = DecoderGraph.step

        def gated(
            graph: DecoderGraph, first: int, tokens: Sequence[Sequence[int]], before: Sequence[int]
        ) -> NDArray[np.float32]:
            assert self.gate.acquire(timeout=10)
            self.rows.append(len(tokens))
            return step(graph, first, tokens, before)

        monkeypatch.setattr(DecoderGraph, "step", gated)

    async def passed(self, steps: int) -> None:
        """Wait until so many have passed."""
        for _ in range(10_000):
            if len(self.rows) >= steps:
                return
            await asyncio.sleep(0.001)
        raise AssertionError(f"expected {steps} steps, got {len(self.rows)}")

    def open(self, steps: int = 10_000) -> None:
        self.gate.release(steps)
