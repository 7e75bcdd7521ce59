"""MiniLM as every unsealed side runs it: tokens, one run, the mean over a text's tokens, length 1.

Its own packages only: peers run in environments of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from benchmarks.peers.sessions import open_session

_NAMES = ("input_ids", "attention_mask", "token_type_ids")


class Encoder:
    """The package in a folder; for several threads at a time."""

    def __init__(self, package: Path, threads: int, *, arena: bool = True) -> None:
        self._tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._session = open_session(package / "model.onnx", threads, arena=arena)
        self._names = {port.name for port in self._session.get_inputs()}

    def tokens(self, text: str) -> list[int]:
        """What the graph is given for a text."""
        return list(self._tokenizer.encode(text).ids)

    def vectors(self, texts: Sequence[Sequence[int]]) -> Any:
        """float32 [texts, dimensions], of texts in tokens, padded to the longest."""
        shape = (len(texts), max(map(len, texts)))
        tokens, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, text in enumerate(texts):
            tokens[row, : len(text)], mask[row, : len(text)] = text, 1
        feeds = dict(zip(_NAMES, (tokens, mask, np.zeros_like(tokens)), strict=True))
        [hidden] = self._session.run(None, {name: feeds[name] for name in self._names})
        weights = mask[:, :, np.newaxis].astype(np.float32)
        vectors = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
