"""Read an encoder from a published BERT checkpoint: `config.json`, `model.safetensors`, `tokenizer.json`."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from safetensors import SafetensorError
from safetensors.numpy import load

from strongroom.models.encoder import Encoder, EncoderShape
from strongroom.models.errors import SourceInvalid
from strongroom.models.tokenizer_json import without_limits
from strongroom.models.weights import FloatArray, require_shapes

_UNUSED = frozenset({"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"})
"""Published with every BERT; no part of `last_hidden_state`."""

Size = Annotated[int, Meta(ge=1, le=1 << 20)]


class _Config(Struct, frozen=True):
    """The fields of `config.json` that decide the graph; a value the graph does not implement is refused."""

    model_type: Literal["bert"]
    hidden_act: Literal["gelu"]
    num_hidden_layers: Size
    num_attention_heads: Size
    hidden_size: Size
    intermediate_size: Size
    vocab_size: Size
    max_position_embeddings: Size
    type_vocab_size: Literal[2]
    layer_norm_eps: float
    position_embedding_type: Literal["absolute"] = "absolute"


def read_encoder(weights: Path, config: Path, tokenizer: Path, *, context_tokens: int) -> Encoder:
    """Read the encoder, to be used up to `context_tokens`; raise SourceInvalid."""
    shape = _shape(config.read_bytes(), context_tokens)
    tensors = _tensors(weights)
    require_shapes(shape.weight_shapes(), {name: tensor.shape for name, tensor in tensors.items()}, ignored=_UNUSED)
    return Encoder(shape=shape, weights=tensors, tokenizer=without_limits(tokenizer.read_bytes()))


def _shape(data: bytes, context_tokens: int) -> EncoderShape:
    try:
        config = msgspec.json.decode(data, type=_Config)
    except msgspec.DecodeError as error:
        raise SourceInvalid(f"config.json: {error}") from None
    if config.hidden_size % config.num_attention_heads:
        raise SourceInvalid(
            f"config.json: expected hidden_size in {config.num_attention_heads} heads, got {config.hidden_size}"
        )
    if not 0 < context_tokens <= config.max_position_embeddings:
        raise SourceInvalid(f"context: expected at most {config.max_position_embeddings} tokens, got {context_tokens}")
    return EncoderShape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        hidden=config.hidden_size,
        feed_forward=config.intermediate_size,
        vocabulary=config.vocab_size,
        positions=config.max_position_embeddings,
        context_tokens=context_tokens,
        norm_epsilon=config.layer_norm_eps,
    )


def _tensors(path: Path) -> dict[str, FloatArray]:
    try:
        tensors = load(path.read_bytes())
    except SafetensorError as error:
        raise SourceInvalid(f"{path.name}: expected a safetensors file: {error}") from None
    used = {name: tensor for name, tensor in tensors.items() if name not in _UNUSED}
    for name, tensor in used.items():
        if tensor.dtype != "float32":
            raise SourceInvalid(f"{path.name}: tensor {name}: expected float32, got {tensor.dtype}")
    return used
