"""From one vector per token to one vector per text."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_SMALLEST_NORM = 1e-12


def pool(
    hidden: NDArray[np.float32], mask: NDArray[np.int64], how: Literal["mean", "cls"], *, normalize: bool
) -> NDArray[np.float32]:
    """float32 [texts, dimensions] from `hidden` [texts, tokens, dimensions] and `mask` [texts, tokens], 1 for a token.

    "mean" averages the tokens of the mask, "cls" takes the first; `normalize` scales each vector to length 1. The
    result shares no memory with `hidden`.
    """
    vectors: NDArray[Any] = hidden[:, 0]
    if how == "mean":
        weights = mask[:, :, None].astype(np.float32)
        vectors = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    if normalize:
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _SMALLEST_NORM)
    return np.array(vectors, dtype=np.float32, order="C")
