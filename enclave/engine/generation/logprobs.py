"""Log probabilities of tokens, before temperature, top_k and top_p."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class TokenLogprob(NamedTuple):
    """A token and its natural logarithm of probability."""

    token: int
    logprob: float


class TokenLogprobs(NamedTuple):
    """A token of the answer, and the likeliest tokens of its place, best first."""

    chosen: TokenLogprob
    likeliest: tuple[TokenLogprob, ...]


def token_logprobs(logits: NDArray[np.float32], token: int, count: int) -> TokenLogprobs:
    """From the raw logits [vocabulary]: log-softmax in float32, of the token and of the `count` likeliest."""
    with np.errstate(over="ignore", under="ignore"):
        shifted = logits - logits.max()
        logprobs = shifted - np.log(np.exp(shifted).sum())
    count = min(count, len(logits))
    found = np.argpartition(logprobs, -count)[len(logits) - count :]
    ordered = found[np.lexsort((found, -logprobs[found]))]
    return TokenLogprobs(
        TokenLogprob(token, float(logprobs[token])),
        tuple(TokenLogprob(int(index), float(logprobs[index])) for index in ordered),
    )
