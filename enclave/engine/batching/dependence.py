"""Does a text's vector depend on the texts it is run with? Found out when the model is loaded.

A dynamically quantised graph takes one scale for all activations of a batch: another caller's text would change my
vector, and tell me something of itself. In float32, company changes nothing but the last bits.
"""

import numpy as np

from enclave.engine.batching.encoder_graph import EncoderGraph
from enclave.engine.errors import InferenceFailed, ModelRejected

TOLERANCE = 1e-4
"""A difference of more than this part of the largest hidden state is no rounding."""

_SHORT_TOKENS = 8
_DYNAMIC = b"DynamicQuantize"


def quantizes_dynamically(graph: bytes) -> bool:
    """Whether the serialised graph names DynamicQuantizeLinear, DynamicQuantizeMatMul or the like.

    The run of `company_matters` can miss them: a scale is the same as long as the largest activation is.
    """
    return _DYNAMIC in graph


def company_matters(graph: EncoderGraph, *, ids: int, context_tokens: int) -> bool:
    """Whether a short text's hidden states are others beside a text of `context_tokens` tokens than alone.

    The long text holds tokens from all over the vocabulary of `ids` entries, the last one too: raises ModelRejected if
    the graph fails on it, for then the tokenizer or the limit belongs to another model.
    """
    long = np.linspace(ids - 1, 0, context_tokens, dtype=np.int64).tolist()
    short = long[-min(_SHORT_TOKENS, (context_tokens + 1) // 2) :]
    try:
        alone, _ = graph.run([short])
        together, _ = graph.run([short, long])
    except InferenceFailed:
        raise ModelRejected(
            f"graph: expected one that runs {context_tokens} tokens, out of all {ids} of its tokenizer, got a failure"
        ) from None
    difference = np.abs(alone[0] - together[0, : len(short)]).max()
    return not difference <= TOLERANCE * np.abs(alone).max()
