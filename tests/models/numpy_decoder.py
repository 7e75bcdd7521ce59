"""An independent Llama decoder in numpy: whole sequence, no cache, float32; what the graph is compared with."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from strongroom.models.decoder import DecoderShape

FloatArray = npt.NDArray[np.float32]


def decoder_logits(shape: DecoderShape, weights: Mapping[str, FloatArray], ids: list[int]) -> FloatArray:
    """Logits [tokens, vocabulary]."""
    hidden = weights["token_embd.weight"][ids]
    for index in range(shape.layers):
        layer = {name.split(".")[2]: w for name, w in weights.items() if name.startswith(f"blk.{index}.")}
        normed = _rms_norm(hidden, layer["attn_norm"], shape.norm_epsilon)
        hidden = hidden + _attention(shape, layer, normed) @ layer["attn_output"].T
        normed = _rms_norm(hidden, layer["ffn_norm"], shape.norm_epsilon)
        gate = normed @ layer["ffn_gate"].T
        hidden = hidden + (gate / (1 + np.exp(-gate)) * (normed @ layer["ffn_up"].T)) @ layer["ffn_down"].T
    normed = _rms_norm(hidden, weights["output_norm.weight"], shape.norm_epsilon)
    logits: FloatArray = normed @ weights["token_embd.weight"].T
    return logits


def _attention(shape: DecoderShape, layer: Mapping[str, FloatArray], hidden: FloatArray) -> FloatArray:
    count = len(hidden)
    query = _rotate((hidden @ layer["attn_q"].T).reshape(count, shape.heads, -1), shape.rope_theta)
    key = _rotate((hidden @ layer["attn_k"].T).reshape(count, shape.kv_heads, -1), shape.rope_theta)
    value = (hidden @ layer["attn_v"].T).reshape(count, shape.kv_heads, -1)
    future = np.triu(np.full((count, count), -np.inf), 1)
    rows = []
    for head in range(shape.heads):
        shared = head * shape.kv_heads // shape.heads
        scores = query[:, head] @ key[:, shared].T / np.sqrt(shape.head_size) + future
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        rows.append(shares / shares.sum(axis=1, keepdims=True) @ value[:, shared])
    return np.concatenate(rows, axis=1).astype(np.float32)


def _rotate(heads: FloatArray, theta: float) -> FloatArray:
    half = heads.shape[-1] // 2
    angles = np.arange(len(heads))[:, None] * theta ** (-np.arange(half) / half)
    cosines, sines = np.cos(angles)[:, None], np.sin(angles)[:, None]
    first, second = heads[..., :half], heads[..., half:]
    return np.concatenate([first * cosines - second * sines, second * cosines + first * sines], axis=-1)


def _rms_norm(hidden: FloatArray, weight: FloatArray, epsilon: float) -> FloatArray:
    scaled: FloatArray = hidden / np.sqrt((hidden**2).mean(axis=-1, keepdims=True) + epsilon) * weight
    return scaled
