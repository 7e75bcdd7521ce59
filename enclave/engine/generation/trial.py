"""A decoder graph's first run, at load: what would fail in a request fails here."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from enclave.engine.errors import InferenceFailed, ModelRejected
from enclave.engine.generation.graph import DecoderGraph

_PROMPTS = ((0, 1, 2, 3, 4), (2, 0))
_TOLERANCE = 1e-4
"""Of the largest logit. Kernels for one row and for more may round differently, by less than a hundredth of this."""


def require_appending(graph: DecoderGraph) -> None:
    """Raise ModelRejected unless the graph appends to its past in place and gives finite logits."""
    try:
        logits = np.concatenate(_alone(graph))
    except InferenceFailed as error:
        raise ModelRejected(
            f"graph: expected a decoder that appends in place, for each of its {graph.vocabulary} tokens: {error}"
        ) from None
    if not np.isfinite(logits).all():
        raise ModelRejected("graph: expected finite logits, got others")


def takes_rows_together(graph: DecoderGraph) -> bool:
    """Whether rows of different lengths, in one step, get the logits that each of them gets alone.

    GroupQueryAttention does that; an attention that takes one length for all rows, weights quantised by the whole
    batch, or a batch size that the graph fixes, do not.
    """
    alone = np.concatenate(_alone(graph))
    try:
        together = _together(graph)
    except InferenceFailed:
        return False
    return bool(np.abs(together - alone).max() <= _TOLERANCE * np.abs(alone).max())


def _alone(graph: DecoderGraph) -> list[NDArray[np.float32]]:
    """The logits [1, vocabulary] after each prompt and the token behind it, in row 0."""
    found = []
    for prompt in _PROMPTS:
        with _cleared(graph, 1):
            graph.step(0, [prompt], [0])
            found.append(graph.step(0, [_next(graph)], [len(prompt)]).copy())
    return found


def _together(graph: DecoderGraph) -> NDArray[np.float32]:
    """The same for all prompts, in a row each."""
    with _cleared(graph, len(_PROMPTS)):
        for row, prompt in enumerate(_PROMPTS):
            graph.step(row, [prompt], [0])
        return graph.step(0, [_next(graph)] * len(_PROMPTS), [len(prompt) for prompt in _PROMPTS]).copy()


def _next(graph: DecoderGraph) -> list[int]:
    """The token behind each prompt: the last that the logits can name. The graph's embeddings must have it too."""
    return [graph.vocabulary - 1]


@contextmanager
def _cleared(graph: DecoderGraph, rows: int) -> Iterator[None]:
    try:
        yield
    finally:
        for row in range(rows):
            graph.forget(row)
