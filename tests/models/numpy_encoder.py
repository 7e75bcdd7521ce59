"""An independent BERT encoder in numpy, float64: what the graph is compared with."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def encode(weights: Mapping[str, npt.NDArray[np.float32]], ids: list[int], heads: int, epsilon: float) -> Array:
    """Last hidden state [tokens, hidden] of one text without padding."""
    exact = {name: weight.astype(np.float64) for name, weight in weights.items()}
    hidden = exact["embeddings.word_embeddings.weight"][ids]
    hidden = hidden + exact["embeddings.position_embeddings.weight"][: len(ids)]
    hidden = hidden + exact["embeddings.token_type_embeddings.weight"][0]
    hidden = _layer_norm(exact, "embeddings.LayerNorm", hidden, epsilon)
    layers = len({name.split(".")[2] for name in exact if name.startswith("encoder.layer.")})
    for index in range(layers):
        hidden = _layer(exact, f"encoder.layer.{index}", hidden, heads, epsilon)
    return hidden


def _layer(weights: Mapping[str, Array], name: str, hidden: Array, heads: int, epsilon: float) -> Array:
    attended = _dense(weights, f"{name}.attention.output.dense", _attention(weights, name, hidden, heads))
    middle = _layer_norm(weights, f"{name}.attention.output.LayerNorm", attended + hidden, epsilon)
    widened = _dense(weights, f"{name}.intermediate.dense", middle)
    active = widened * 0.5 * (1 + np.vectorize(math.erf)(widened / math.sqrt(2)))
    mixed = _dense(weights, f"{name}.output.dense", active)
    return _layer_norm(weights, f"{name}.output.LayerNorm", mixed + middle, epsilon)


def _attention(weights: Mapping[str, Array], name: str, hidden: Array, heads: int) -> Array:
    query, key, value = (
        np.split(_dense(weights, f"{name}.attention.self.{part}", hidden), heads, axis=1)
        for part in ("query", "key", "value")
    )
    rows = []
    for q, k, v in zip(query, key, value, strict=True):
        shares = np.exp(q @ k.T / math.sqrt(q.shape[1]))
        rows.append(shares / shares.sum(axis=1, keepdims=True) @ v)
    return np.concatenate(rows, axis=1)


def _dense(weights: Mapping[str, Array], name: str, hidden: Array) -> Array:
    product: Array = hidden @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    return product


def _layer_norm(weights: Mapping[str, Array], name: str, hidden: Array, epsilon: float) -> Array:
    centred = hidden - hidden.mean(axis=-1, keepdims=True)
    scaled: Array = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]
