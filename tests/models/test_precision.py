"""Graphs of one decoder in several precisions, against an independent implementation."""

import numpy as np
import pytest

from strongroom.models.decoder import DecoderShape
from strongroom.models.decoder_graph import build_decoder_graph
from strongroom.models.precision import SHIPPED, Float32, Int8, Precision
from strongroom.models.quantize import quantize_int8
from strongroom.models.reading import read
from strongroom.models.weights import FloatArray, random_weights
from tests.models.dequantize import dequantize_int8
from tests.models.numpy_decoder import decoder_logits

IDS = [1, 70, 5, 200, 70, 33, 9, 128, 2]
SHAPE = DecoderShape(
    layers=2,
    heads=4,
    kv_heads=2,
    head_size=32,
    hidden=128,
    feed_forward=192,
    vocabulary=256,
    context_tokens=64,
    rope_theta=100.0,
    norm_epsilon=1e-5,
)
WEIGHTS = random_weights(SHAPE.weight_shapes(), seed=11)


def log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: FloatArray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def found_with(precision: Precision) -> FloatArray:
    """Log-probabilities [tokens - 1, vocabulary] of the graph, which has a cache."""
    graph = build_decoder_graph(SHAPE, WEIGHTS, precision)
    whole: FloatArray = read(graph, SHAPE, np.array([IDS], dtype=np.int64)).log_probabilities[:, 0]
    return whole


def expected_with(weights: dict[str, FloatArray]) -> FloatArray:
    return log_softmax(decoder_logits(SHAPE, weights, IDS)[:-1])


def test_float32_computes_the_model_itself() -> None:
    np.testing.assert_allclose(found_with(Float32()), expected_with(WEIGHTS), atol=1e-4)


@pytest.mark.parametrize("block", [16, 32, 64])
def test_int8_computes_with_what_it_stores(block: int) -> None:
    stored = {name: dequantize_int8(*quantize_int8(w, block)) if w.ndim == 2 else w for name, w in WEIGHTS.items()}
    expected = expected_with(stored)
    # Activations are rounded as well; with the scales of another block it would be 0.2 and more.
    assert np.sqrt(((found_with(Int8(block)) - expected) ** 2).mean()) < 0.05 * expected.std()


def test_blocks_of_16_are_shipped() -> None:
    assert build_decoder_graph(SHAPE, WEIGHTS) == build_decoder_graph(SHAPE, WEIGHTS, Int8(16))
    assert Int8(16) == SHIPPED
