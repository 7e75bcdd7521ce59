"""Embeddings: from one vector for each token to one for the text."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enclave.engine.arrays import to_tensor
from enclave.engine.sessions import Port
from enclave.engine.tokenization import EncodedText
from strongroom.protocol.catalogue import EmbedSettings
from strongroom.protocol.payloads import Embeddings, EmbedTask

_SMALLEST_NORM = 1e-12


class Pooled(NamedTuple):
    """A text's vector, float32 [dimensions], and the number of the tokens that it comes from."""

    vector: NDArray[np.float32]
    tokens: int


class EmbeddingHead:
    """The mean of the tokens' vectors, or the first of them; scaled to length 1 if the settings say so.

    A text without tokens gets zeros.
    """

    task = EmbedTask

    def __init__(self, settings: EmbedSettings) -> None:
        self._settings = settings
        self.output = Port("last_hidden_state", "tensor(float)", (None, None, settings.dimensions))

    def part(self, numbers: NDArray[np.float32], text: EncodedText) -> Pooled:
        """The vector; computed in float64, in which no finite float32 overflows."""
        pooled = numbers if self._settings.pooling == "mean" else numbers[:1]
        vector: NDArray[np.float64] = pooled.sum(axis=0, dtype=np.float64) / max(1, len(pooled))
        if self._settings.normalize:
            vector /= max(float(np.linalg.norm(vector)), _SMALLEST_NORM)
        return Pooled(vector.astype(np.float32), len(text.tokens))

    def event(self, parts: Sequence[Pooled]) -> Embeddings:
        """The vectors, one row for each text, and the tokens of all of them, the frames' included."""
        vectors, tokens = zip(*parts, strict=True)
        return Embeddings(to_tensor(np.stack(vectors)), sum(tokens))
