"""From logits to scores of 0 to 1."""

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """exp(logit) over the sum of them along the last axis: shares that add up to 1."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 / (1 + exp(−logit)), each by itself."""
    small = np.exp(-np.abs(logits.astype(np.float64)))  # never overflows
    scores: NDArray[np.float64] = np.where(logits < 0, small, 1.0) / (1 + small)
    return scores
