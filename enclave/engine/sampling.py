"""The choice of the next token."""

import numpy as np
from numpy.typing import NDArray

from enclave.engine.errors import InferenceFailed


class Sampler:
    """Temperature and nucleus (top_p) sampling; temperature 0 takes the most likely token.

    Equal seeds and logits give equal tokens; without a seed the operating system's entropy is used.
    """

    def __init__(self, temperature: float, top_p: float, seed: int | None) -> None:
        self._temperature = temperature
        self._top_p = top_p
        self._random = np.random.Generator(np.random.PCG64(seed))

    def next(self, logits: NDArray[np.float32]) -> int:
        """The token for logits of shape [vocabulary]; raise InferenceFailed if they hold NaN or +inf, or only -inf."""
        highest = logits.max()
        if not np.isfinite(highest):
            raise InferenceFailed("expected finite logits, got others: the graph does not fit this machine")
        if self._temperature == 0:
            return int(logits.argmax())
        return self._draw(logits.astype(np.float64) - highest)

    def _draw(self, logits: NDArray[np.float64]) -> int:
        with np.errstate(over="ignore", under="ignore"):  # a tiny temperature makes all but the best -inf
            weights = np.exp(logits / self._temperature)
        tokens = self._nucleus(weights)
        cumulative = np.cumsum(weights[tokens])
        point = self._random.random() * cumulative[-1]
        return int(tokens[min(np.searchsorted(cumulative, point, side="right"), len(tokens) - 1)])

    def _nucleus(self, weights: NDArray[np.float64]) -> NDArray[np.intp]:
        """The fewest tokens, most likely first, that hold top_p of the weight.

        A token below (1 - top_p) / vocabulary of the weight cannot be among them: it and all smaller ones together
        hold less than 1 - top_p. Leaving those out before sorting makes the sort short.
        """
        total = weights.sum()
        likely = np.flatnonzero(weights >= (1 - self._top_p) * total / len(weights))
        ordered = likely[np.argsort(-weights[likely], kind="stable")]
        count = int(np.searchsorted(np.cumsum(weights[ordered]), self._top_p * total)) + 1
        return ordered[:count]
