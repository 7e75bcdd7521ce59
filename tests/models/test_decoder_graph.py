"""The decoder graph, in onnxruntime, against itself and against an independent implementation."""

from pathlib import Path

import numpy as np
import pytest

from strongroom.models.assemble import Identity, write_decoder
from strongroom.models.decoder import Decoder, DecoderShape
from strongroom.models.quantize import quantize_int8
from strongroom.models.tiny import build_tiny_decoder
from strongroom.models.tokenizer_json import byte_alphabet, byte_level_bpe
from strongroom.models.weights import random_weights
from tests.models.dequantize import dequantize_int8
from tests.models.numpy_decoder import decoder_logits
from tests.models.running import RunningDecoder

IDS = [1, 70, 5, 200, 70, 33, 9, 128, 2]
SHAPE = DecoderShape(
    layers=3,
    heads=4,
    kv_heads=2,
    head_size=32,
    hidden=128,
    feed_forward=96,
    vocabulary=256,
    context_tokens=64,
    rope_theta=100.0,
    norm_epsilon=1e-5,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> RunningDecoder:
    return RunningDecoder(build_tiny_decoder(tmp_path_factory.mktemp("decoder")))


def test_a_token_outside_the_vocabulary_is_an_error(tiny: RunningDecoder) -> None:
    with pytest.raises(Exception, match=r"out of.*bounds|indices element out"):
        tiny.prefill([1, 259])


def test_decoding_with_the_cache_equals_the_whole_prompt_at_every_length(tiny: RunningDecoder) -> None:
    cache = tiny.empty_cache()
    for position, token in enumerate(IDS):
        logits, cache = tiny.step([[token]], [[1] * (position + 1)], cache)
        assert logits.shape == (1, 1, 259)
        np.testing.assert_allclose(logits[0, 0], tiny.prefill(IDS[: position + 1]), atol=1e-4)


def test_a_prompt_in_two_pieces_equals_the_prompt_in_one(tiny: RunningDecoder) -> None:
    _, cache = tiny.step([IDS[:4]], [[1] * 4], tiny.empty_cache())
    logits, _ = tiny.step([IDS[4:]], [[1] * len(IDS)], cache)
    np.testing.assert_allclose(logits[0, 0], tiny.prefill(IDS), atol=1e-4)


def test_padded_rows_of_a_batch_do_not_change_each_other(tiny: RunningDecoder) -> None:
    ids = [IDS, IDS[:3] + [0] * 6, [8] * 5 + [0] * 4]
    mask = [[1] * length + [0] * (9 - length) for length in (9, 3, 5)]
    logits, _ = tiny.step(ids, mask, tiny.empty_cache(rows=3))
    for row, alone in enumerate((IDS, IDS[:3], [8] * 5)):
        np.testing.assert_allclose(logits[row, 0], tiny.prefill(alone), atol=1e-4)


def test_order_of_the_tokens_matters(tiny: RunningDecoder) -> None:
    assert np.abs(tiny.prefill([5, 6, 7]) - tiny.prefill([6, 5, 7])).max() > 1e-2


def test_the_cache_holds_what_the_manifest_says(tiny: RunningDecoder) -> None:
    _, cache = tiny.step([IDS], [[1] * 9], tiny.empty_cache())
    assert len(cache) == 2 * tiny.settings.layers
    assert {value.shape for value in cache.values()} == {(1, tiny.settings.kv_heads, 9, tiny.settings.head_size)}


def test_names_are_those_of_onnxruntime_genai(tiny: RunningDecoder) -> None:
    inputs = [node.name for node in tiny.session.get_inputs()]
    outputs = [node.name for node in tiny.session.get_outputs()]
    assert inputs[:4] == ["input_ids", "attention_mask", "past_key_values.0.key", "past_key_values.0.value"]
    assert outputs[:3] == ["logits", "present.0.key", "present.0.value"]


def test_the_graph_computes_a_llama(tmp_path: Path) -> None:
    weights = random_weights(SHAPE.weight_shapes(), seed=11)
    decoder = Decoder(SHAPE, weights, byte_level_bpe(byte_alphabet(), [], []), "", [0])
    running = RunningDecoder(write_decoder(tmp_path / "package", decoder, Identity("llama", "", "")))
    as_stored = {name: dequantize_int8(*quantize_int8(w)) if w.ndim == 2 else w for name, w in weights.items()}
    expected = decoder_logits(SHAPE, as_stored, IDS)[-1]
    # onnxruntime rounds activations to int8 as well: 0.02 here, where a wrong epsilon or theta makes 0.06 and more.
    error = running.prefill(IDS) - expected
    assert np.sqrt((error**2).mean()) < 0.04 * expected.std()
