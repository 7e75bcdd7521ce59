from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter, TokenType
from gguf.quants import dequantize, quantize
from tokenizers import Tokenizer

from strongroom.models.decoder import Decoder, DecoderShape
from strongroom.models.errors import SourceInvalid
from strongroom.models.gguf_source import read_decoder
from strongroom.models.tokenizer_json import byte_alphabet
from strongroom.models.weights import FloatArray, random_weights

Q4_1 = GGMLQuantizationType.Q4_1
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *byte_alphabet(), "he"]
SHAPE = DecoderShape(
    layers=1,
    heads=2,
    kv_heads=1,
    head_size=32,
    hidden=64,
    feed_forward=96,
    vocabulary=len(TOKENS),
    context_tokens=16,
    rope_theta=5000.0,
    norm_epsilon=0.5,
)
FIELDS: dict[str, Any] = {
    "llama.block_count": 1,
    "llama.context_length": 32,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 96,
    "llama.attention.head_count": 2,
    "llama.attention.head_count_kv": 1,
    "llama.rope.dimension_count": 32,
    "llama.rope.freq_base": 5000.0,
    "llama.attention.layer_norm_rms_epsilon": 0.5,
    "llama.vocab_size": len(TOKENS),
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.add_bos_token": False,
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.token_type": [TokenType.CONTROL] * 3 + [TokenType.NORMAL] * 257,
    "tokenizer.ggml.merges": ["h e"],
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.chat_template": "{{ messages }}",
}
WEIGHTS = random_weights(SHAPE.weight_shapes(), seed=0)


def write_gguf(
    path: Path,
    fields: dict[str, Any],
    weights: dict[str, FloatArray] = WEIGHTS,
    architecture: str = "llama",
    q4_1: tuple[str, ...] = (),
) -> Path:
    writer = GGUFWriter(path, architecture)
    for name, value in fields.items():
        add_field(writer, name, value)
    for name, weight in weights.items():
        if name in q4_1:
            writer.add_tensor(name, quantize(weight, Q4_1), raw_dtype=Q4_1)
        else:
            writer.add_tensor(name, np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_field(writer: GGUFWriter, name: str, value: Any) -> None:
    kinds = {int: GGUFValueType.UINT32, float: GGUFValueType.FLOAT32, bool: GGUFValueType.BOOL}
    if isinstance(value, list):
        writer.add_array(name, value)
    else:
        writer.add_key_value(name, value, kinds.get(type(value), GGUFValueType.STRING))


def read(directory: Path, fields: dict[str, Any] = FIELDS, **kwargs: Any) -> Decoder:
    return read_decoder(write_gguf(directory / "model.gguf", fields, **kwargs), context_tokens=16)


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceInvalid, match=name):
        read(tmp_path, {key: value for key, value in FIELDS.items() if key != name})


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer.ggml.model": "llama"},
        {"tokenizer.ggml.pre": "qwen2"},
        {"tokenizer.ggml.add_bos_token": True},
        {"llama.rope.scaling.type": "yarn"},
        {"llama.attention.head_count": 3},
        {"llama.block_count": 2},
        {"llama.vocab_size": 259},
        {"llama.context_length": "32"},
        {"tokenizer.ggml.token_type": [TokenType.BYTE] * 260},
        {"tokenizer.ggml.token_type": [TokenType.NORMAL] * 260},
        {"tokenizer.ggml.token_type": [TokenType.CONTROL] * 3},
        {"tokenizer.ggml.merges": ["he"]},
        {"tokenizer.ggml.merges": ["h e e"]},
        {"tokenizer.ggml.eos_token_id": 260},
    ],
)
def test_what_the_converter_was_not_made_for_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(SourceInvalid):
        read(tmp_path, FIELDS | change)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match=r"general\.architecture: expected 'llama', got 'qwen2'"):
        read(tmp_path, architecture="qwen2")


def test_an_untied_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match=r"output\.weight besides"):
        read(tmp_path, weights=WEIGHTS | {"output.weight": WEIGHTS["token_embd.weight"]})


def test_a_context_beyond_the_published_one_is_refused(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "model.gguf", FIELDS)
    with pytest.raises(SourceInvalid, match="at most the 32 tokens published, got 33"):
        read_decoder(path, context_tokens=33)


@pytest.mark.parametrize("kept", [0, 3, 100, 5000])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = write_gguf(tmp_path / "model.gguf", FIELDS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SourceInvalid, match="expected a whole GGUF file"):
        read_decoder(path, context_tokens=16)


def test_a_decoder_is_read(tmp_path: Path) -> None:
    decoder = read(tmp_path)
    assert decoder.shape == SHAPE
    assert decoder.weights.keys() == WEIGHTS.keys()
    assert decoder.template == "{{ messages }}"
    assert decoder.stop_tokens == [0, 2]
    assert (decoder.weights["blk.0.ffn_up.weight"] == WEIGHTS["blk.0.ffn_up.weight"]).all()
    tokenizer = Tokenizer.from_str(decoder.tokenizer.decode())
    assert tokenizer.encode("<|im_start|>he").ids == [1, TOKENS.index("he")]


@pytest.mark.parametrize("part", ["attn_q", "attn_k"])
def test_interleaved_rotary_pairs_become_halves(tmp_path: Path, part: str) -> None:
    halves = WEIGHTS[f"blk.0.{part}.weight"]
    # As llama.cpp's convert_hf_to_gguf.py lays them out (LlamaModel.permute).
    heads = len(halves) // SHAPE.head_size
    interleaved = halves.reshape(heads, 2, SHAPE.head_size // 2, -1).swapaxes(1, 2).reshape(halves.shape)
    decoder = read(tmp_path, weights=WEIGHTS | {f"blk.0.{part}.weight": interleaved})
    assert (interleaved != halves).any()
    assert (decoder.weights[f"blk.0.{part}.weight"] == halves).all()


def test_quantised_tensors_are_dequantised(tmp_path: Path) -> None:
    name = "blk.0.ffn_down.weight"
    actual = read(tmp_path, q4_1=(name,)).weights[name]
    assert (actual == dequantize(quantize(WEIGHTS[name], Q4_1), Q4_1)).all()
    assert (actual != WEIGHTS[name]).any()
    assert np.abs(actual - WEIGHTS[name]).max() < 0.05
