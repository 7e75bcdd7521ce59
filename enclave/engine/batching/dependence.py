"""Does what is said of a text depend on the texts it is run with? Found out when the model is loaded.

A dynamically quantised graph takes one scale for all activations of a batch: another caller's text would change my
numbers, and tell me something of itself. In float32, company changes nothing but the last bits.
"""

from collections.abc import Sequence

import numpy as np

from enclave.engine.batching.encoder_graph import EncoderGraph
from enclave.engine.errors import InferenceFailed, ModelRejected

TOLERANCE = 1e-4
"""A difference of more than this part of the largest number is no rounding."""

_SHORT_TOKENS = 8


def company_matters(graph: EncoderGraph, *, ids: int, context_tokens: int) -> bool:
    """Whether the numbers of a short text are others beside a text of `context_tokens` tokens than alone.

    The long text holds tokens from all over the vocabulary of `ids` entries, the last one too: raises ModelRejected if
    the graph fails on it, for then the tokenizer or the limit belongs to another model, or if numbers are not finite.
    A short text comes before it, and one of other tokens behind it: one token may set the scale of a batch, and a text
    may depend on those before it alone.
    """
    long = np.linspace(ids - 1, 0, context_tokens, dtype=np.int64).tolist()
    short_tokens = min(_SHORT_TOKENS, (context_tokens + 1) // 2)
    try:
        return _differs(graph, [long[:short_tokens], long], 0) or _differs(graph, [long, long[-short_tokens:]], 1)
    except InferenceFailed:
        raise ModelRejected(
            f"graph: expected one that runs {context_tokens} tokens, out of all {ids} of its tokenizer, got a failure"
        ) from None


def _differs(graph: EncoderGraph, texts: Sequence[Sequence[int]], index: int) -> bool:
    """Whether the text of that index gets other numbers together with the others than alone."""
    with graph.run([texts[index]]) as [alone], graph.run(texts) as together:
        if not all(np.isfinite(numbers).all() for numbers in (alone, *together)):
            raise ModelRejected("graph: expected finite numbers, got others")
        return bool(np.abs(alone - together[index]).max() > TOLERANCE * np.abs(alone).max())
