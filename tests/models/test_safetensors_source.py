import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from strongroom.models.encoder import Encoder, EncoderShape
from strongroom.models.errors import SourceInvalid
from strongroom.models.safetensors_source import read_encoder
from strongroom.models.tokenizer_json import byte_alphabet, byte_level_bpe
from strongroom.models.weights import FloatArray, random_weights

SHAPE = EncoderShape(
    layers=1, heads=2, hidden=8, feed_forward=16, vocabulary=256, positions=12, context_tokens=10, norm_epsilon=1e-12
)
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "intermediate_size": 16,
    "vocab_size": 256,
    "max_position_embeddings": 12,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "transformers_version": "4.8.2",
}
WEIGHTS = random_weights(SHAPE.weight_shapes(), seed=0)


def read(
    directory: Path,
    config: dict[str, Any] = CONFIG,
    weights: dict[str, FloatArray] = WEIGHTS,
    context_tokens: int = 10,
) -> Encoder:
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "tokenizer.json").write_bytes(byte_level_bpe(byte_alphabet(), [], []))
    save_file(weights, directory / "model.safetensors")
    return read_encoder(
        directory / "model.safetensors",
        directory / "config.json",
        directory / "tokenizer.json",
        context_tokens=context_tokens,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"model_type": "roberta"},
        {"hidden_act": "gelu_new"},
        {"position_embedding_type": "relative_key"},
        {"type_vocab_size": 1},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": 2},
        {"hidden_size": "8"},
        {"num_attention_heads": 3},
        {"vocab_size": 255},
        {"layer_norm_eps": None},
    ],
)
def test_another_architecture_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(SourceInvalid):
        read(tmp_path, config=CONFIG | change)


@pytest.mark.parametrize("missing", ["hidden_size", "model_type", "layer_norm_eps"])
def test_an_incomplete_configuration_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(SourceInvalid, match=missing):
        read(tmp_path, config={name: value for name, value in CONFIG.items() if name != missing})


@pytest.mark.parametrize("context_tokens", [0, -1, 13])
def test_a_context_beyond_the_published_positions_is_refused(tmp_path: Path, context_tokens: int) -> None:
    with pytest.raises(SourceInvalid, match="at most 12"):
        read(tmp_path, context_tokens=context_tokens)


def test_surplus_and_half_precision_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="adapter besides"):
        read(tmp_path, weights=WEIGHTS | {"adapter": np.zeros(3, dtype=np.float32)})
    half = WEIGHTS["embeddings.LayerNorm.bias"].astype(np.float16)
    with pytest.raises(SourceInvalid, match="expected float32, got float16"):
        read(tmp_path, weights={**WEIGHTS, "embeddings.LayerNorm.bias": half})  # type: ignore[dict-item]  # the defect


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    read(tmp_path)
    paths = [tmp_path / name for name in ("model.safetensors", "config.json", "tokenizer.json")]
    for path in paths:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(SourceInvalid):
            read_encoder(*paths, context_tokens=10)
        path.write_bytes(whole)


def test_an_encoder_is_read_without_its_pooler(tmp_path: Path) -> None:
    encoder = read(tmp_path, weights=WEIGHTS | {"pooler.dense.bias": np.zeros(8, dtype=np.float32)})
    assert encoder.shape == SHAPE
    assert encoder.weights.keys() == WEIGHTS.keys()
    assert all((encoder.weights[name] == WEIGHTS[name]).all() for name in WEIGHTS)
