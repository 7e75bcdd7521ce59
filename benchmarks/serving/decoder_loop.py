"""The yardstick of generation: numpy, onnxruntime, and a loop. No tokenizer, no sampling but the likeliest token.

The graph is the enclave's, past and present are bound to one buffer. Each prompt runs alone, in one run, into its row;
then all rows take their steps together until each has its tokens. Where there are more sequences than rows, the next
ones begin when all rows are done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.peers.sessions import open_session

Tokens = list[int]


class DecoderLoop:
    """A session, and K/V for `rows` sequences of at most `context` tokens."""

    def __init__(self, graph: Path, *, threads: int, rows: int, context: int) -> None:
        self._session = open_session(graph, threads)
        ports = {port.name: port.shape for port in self._session.get_inputs()}
        self._past = {
            name.removeprefix("past_key_values."): np.zeros((rows, shape[1], context, shape[3]), np.float32)
            for name, shape in ports.items()
            if name.startswith("past_key_values.")
        }
        self._rows = rows
        self._bindings: dict[tuple[int, int], tuple[Any, list[Any]]] = {}

    def generate(
        self, prompts: Sequence[Tokens], new: int, *, has_read: Callable[[], object] = lambda: None
    ) -> list[Tokens]:
        """The `new` likeliest tokens after each prompt; `has_read` is called when all rows have their first."""
        waves = [prompts[first : first + self._rows] for first in range(0, len(prompts), self._rows)]
        return [answer for wave in waves for answer in self._wave(wave, new, has_read)]

    def _wave(self, prompts: Sequence[Tokens], new: int, has_read: Callable[[], object]) -> list[Tokens]:
        answers = [[self._read(row, prompt)] for row, prompt in enumerate(prompts)]
        has_read()
        lengths = [len(prompt) for prompt in prompts]
        for _ in range(new - 1):
            lengths = [length + 1 for length in lengths]
            last = np.array([answer[-1:] for answer in answers])
            for answer, token in zip(answers, self._step(0, last, lengths), strict=True):
                answer.append(int(token))
        return answers

    def _read(self, row: int, prompt: Tokens) -> int:
        return int(self._step(row, np.array([prompt]), [len(prompt)])[0])

    def _step(self, first: int, tokens: NDArray[np.int64], lengths: Sequence[int]) -> NDArray[np.int64]:
        """Append the tokens [rows, n] to the rows from `first` on, `lengths` long then; the likeliest next ones."""
        mask = (np.arange(max(lengths)) < np.array(lengths)[:, np.newaxis]).astype(np.int64)
        binding, _ = self._binding(first, len(tokens))
        fed = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in (tokens, mask)]
        binding.bind_ortvalue_input("input_ids", fed[0])
        binding.bind_ortvalue_input("attention_mask", fed[1])
        self._session.run_with_iobinding(binding)
        likeliest: NDArray[np.int64] = binding.get_outputs()[0].numpy()[:, -1].argmax(axis=-1)
        return likeliest

    def _binding(self, first: int, count: int) -> tuple[Any, list[Any]]:
        """What is bound once for these rows: the logits, which onnxruntime allocates, and their part of K/V."""
        if (found := self._bindings.get((first, count))) is None:
            binding, kept = self._session.io_binding(), []
            binding.bind_output("logits", "cpu")
            for name, buffer in self._past.items():
                value = onnxruntime.OrtValue.ortvalue_from_numpy(buffer[first : first + count])
                binding.bind_ortvalue_input(f"past_key_values.{name}", value)
                binding.bind_ortvalue_output(f"present.{name}", value)
                kept.append(value)
            found = self._bindings[first, count] = binding, kept
        return found
