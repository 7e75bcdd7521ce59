"""Log probabilities of tokens, before temperature, top_k and top_p."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from enclave.engine.generation.sampling import likeliest
from strongroom.protocol.payloads import LEAST_LOGPROB, Alternative, TokenLogprob


def token_logprob(
    logits: NDArray[np.float32], token: int, count: int, bytes_of: Callable[[int], bytes]
) -> TokenLogprob:
    """From the raw logits [vocabulary]: log-softmax in float32, of the token and of the `count` likeliest.

    The likeliest come best first, of equal ones the lower token; `bytes_of` gives a token's text.
    """
    with np.errstate(over="ignore", under="ignore"):
        shifted = logits - logits.max()
        logprobs = np.maximum(shifted - np.log(np.exp(shifted).sum()), np.float32(LEAST_LOGPROB))
    found = likeliest(logits, min(count, len(logits)))
    ordered = found[np.argsort(-logits[found], kind="stable")]
    top = [Alternative(bytes_of(int(index)), float(logprobs[index])) for index in ordered]
    return TokenLogprob(bytes_of(token), float(logprobs[token]), top)
