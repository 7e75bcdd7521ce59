"""The choice of the next token."""

import numpy as np
from numpy.typing import NDArray

from enclave.engine.errors import InferenceFailed
from strongroom.protocol.payloads import Generation

_COLDEST = float(np.finfo(np.float32).tiny)  # below it a temperature is 0 in float32, and 0 / 0 no weight
_BLOCK = 256
_COMMON = 1e-4


class Sampler:
    """Temperature, then the top_k likeliest, then of these the nucleus (top_p); temperature 0 takes the likeliest.

    Equal options, seeds and logits give equal tokens; without a seed the operating system's entropy is used. Of equal
    logits the lower token comes first.
    """

    def __init__(self, options: Generation) -> None:
        self._temperature = options.temperature
        self._top_p = options.top_p
        self._top_k = options.top_k
        self._random = np.random.Generator(np.random.PCG64(options.seed))

    def next(self, logits: NDArray[np.float32]) -> int:
        """The token for logits of shape [vocabulary]; raise InferenceFailed if they hold NaN or +inf, or only -inf."""
        likeliest = int(logits.argmax())  # the first NaN, where there is one
        highest = logits[likeliest]
        if not np.isfinite(highest):
            raise InferenceFailed("expected finite logits, got others: the graph does not fit this machine")
        if self._temperature == 0:
            return likeliest
        weights = self._weights(logits, highest)
        if (kept := self._kept(weights)) is None:
            return _draw(weights, self._random.random())
        return int(kept[_draw(weights[kept], self._random.random())])

    def _weights(self, logits: NDArray[np.float32], highest: np.float32) -> NDArray[np.float32]:
        with np.errstate(over="ignore", under="ignore"):  # a tiny temperature makes all but the best -inf
            weights: NDArray[np.float32] = logits - highest
            weights /= np.float32(max(self._temperature, _COLDEST))
            np.exp(weights, out=weights)
        return weights

    def _kept(self, weights: NDArray[np.float32]) -> NDArray[np.intp] | None:
        """The tokens that top_k and top_p leave; None for all."""
        kept = likeliest(weights, self._top_k) if 0 < self._top_k < len(weights) else None
        if self._top_p == 1:
            return kept
        return _nucleus(weights, self._top_p) if kept is None else kept[_nucleus(weights[kept], self._top_p)]


def likeliest(weights: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """The indexes of the `count` largest weights, of equal ones the first, in order of index."""
    if count == 0:
        return np.empty(0, dtype=np.intp)
    least = np.partition(weights, -count)[-count]
    more = np.flatnonzero(weights > least)
    equal = np.flatnonzero(weights == least)[: count - len(more)]
    return np.sort(np.concatenate([more, equal]))


def _nucleus(weights: NDArray[np.float32], top_p: float) -> NDArray[np.intp]:
    """The indexes of the fewest weights, largest first, that hold top_p of the sum.

    One below (1 - top_p) / len(weights) of the sum cannot be among them: it and all smaller ones together hold less
    than 1 - top_p. Leaving those out before sorting makes the sort short, and mostly a few common ones are enough.
    """
    total = weights.sum(dtype=np.float64)
    least = (1 - top_p) / len(weights)
    for share in (max(_COMMON, least), least):
        likely = np.flatnonzero(weights >= share * total)
        if weights[likely].sum(dtype=np.float64) > top_p * total:
            break
    ordered = likely[np.argsort(-weights[likely], kind="stable")]
    count = int(np.searchsorted(np.cumsum(weights[ordered], dtype=np.float64), top_p * total)) + 1
    return ordered[:count]


def _draw(weights: NDArray[np.float32], uniform: float) -> int:
    """The index where the running sum of the weights passes `uniform` (0 to 1) of the whole.

    First the block is found, then the place in it: a running sum of 50,000 weights would take longer than all else.
    """
    starts = np.arange(0, len(weights), _BLOCK)
    blocks = np.cumsum(np.add.reduceat(weights, starts, dtype=np.float64))
    point = uniform * blocks[-1]
    block = _passed(blocks, point)
    within = np.cumsum(weights[starts[block] : starts[block] + _BLOCK], dtype=np.float64)
    return int(starts[block]) + _passed(within, point - (blocks[block - 1] if block else 0.0))


def _passed(sums: NDArray[np.float64], point: float) -> int:
    """The first index whose running sum is above the point, which rounding may have put at the very end."""
    return int(np.searchsorted(sums, min(point, np.nextafter(sums[-1], 0)), side="right"))
