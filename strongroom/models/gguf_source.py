"""Read a decoder from a GGUF file: sizes, dequantised weights, tokenizer, chat template.

The format is that of ggml's `docs/gguf.md`; what the converter has not been made for is refused by name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from gguf import GGUFReader, ReaderTensor, TokenType, dequantize

from strongroom.models.decoder import Decoder, DecoderShape
from strongroom.models.errors import SourceInvalid
from strongroom.models.tokenizer_json import byte_level_bpe
from strongroom.models.weights import FloatArray, require_shapes

T = TypeVar("T")

_EXPECTED = {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.add_bos_token": False,
}
"""Fields whose other values would need other code."""


def read_decoder(path: Path, *, context_tokens: int) -> Decoder:
    """Read the decoder, to be used up to `context_tokens`; raise SourceInvalid."""
    fields = _Fields(path)
    for name, expected in _EXPECTED.items():
        if (actual := fields.get(name, type(expected))) != expected:
            raise SourceInvalid(f"GGUF {name}: expected {expected!r}, got {actual!r}")
    shape = _shape(fields, context_tokens)
    vocabulary = _vocabulary(fields, shape.vocabulary)
    return Decoder(
        shape=shape,
        weights=_Weights(fields.reader, shape),
        tokenizer=_tokenizer(fields, vocabulary),
        template=fields.get("tokenizer.chat_template", str),
        stop_tokens=_stop_tokens(fields, vocabulary),
    )


class _Fields:
    """The file's metadata, each field with the type the caller expects."""

    def __init__(self, path: Path) -> None:
        try:
            self.reader = GGUFReader(path)
        except (ValueError, IndexError) as error:
            raise SourceInvalid(f"GGUF {path.name}: expected a whole GGUF file: {error}") from None

    def get(self, name: str, kind: type[T]) -> T:
        """The field's value; raise SourceInvalid when it is absent or of another type."""
        value: Any = self.reader.fields[name].contents() if name in self.reader.fields else None
        if not isinstance(value, kind):
            raise SourceInvalid(f"GGUF {name}: expected {kind.__name__}, got {type(value).__name__}")
        return value

    def absent(self, prefix: str) -> None:
        """Raise SourceInvalid when a field's name begins with `prefix`."""
        if found := [name for name in self.reader.fields if name.startswith(prefix)]:
            raise SourceInvalid(f"GGUF {found[0]}: expected no such field, got one")


def _shape(fields: _Fields, context_tokens: int) -> DecoderShape:
    fields.absent("llama.rope.scaling")
    published = fields.get("llama.context_length", int)
    if not 0 < context_tokens <= published:
        raise SourceInvalid(f"context: expected at most the {published} tokens published, got {context_tokens}")
    heads, hidden = fields.get("llama.attention.head_count", int), fields.get("llama.embedding_length", int)
    head_size = fields.get("llama.rope.dimension_count", int)
    if heads * head_size != hidden:
        raise SourceInvalid(f"GGUF heads: expected {hidden} = heads x head size, got {heads} x {head_size}")
    return DecoderShape(
        layers=fields.get("llama.block_count", int),
        heads=heads,
        kv_heads=fields.get("llama.attention.head_count_kv", int),
        head_size=head_size,
        hidden=hidden,
        feed_forward=fields.get("llama.feed_forward_length", int),
        vocabulary=fields.get("llama.vocab_size", int),
        context_tokens=context_tokens,
        rope_theta=fields.get("llama.rope.freq_base", float),
        norm_epsilon=fields.get("llama.attention.layer_norm_rms_epsilon", float),
    )


class _Weights(Mapping[str, FloatArray]):
    """Dequantises a tensor when it is asked for, so that only one is held as float32 at a time."""

    def __init__(self, reader: GGUFReader, shape: DecoderShape) -> None:
        self._tensors: dict[str, ReaderTensor] = {tensor.name: tensor for tensor in reader.tensors}
        actual = {name: tuple(map(int, reversed(tensor.shape))) for name, tensor in self._tensors.items()}
        require_shapes(shape.weight_shapes(), actual)
        self._head_size = shape.head_size

    def __getitem__(self, name: str) -> FloatArray:
        tensor = self._tensors[name]
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
        if name.endswith((".attn_q.weight", ".attn_k.weight")):
            return _rotary_halves(values, self._head_size)
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def _rotary_halves(matrix: FloatArray, head_size: int) -> FloatArray:
    # GGUF interleaves the rotated pairs of a "llama" model; the graph has them as two halves of a head.
    rows, columns = matrix.shape
    pairs = matrix.reshape(rows // head_size, head_size // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


@dataclass(frozen=True)
class _Vocabulary:
    """Tokens in the order of their ids, and those among them that never come from text."""

    tokens: list[str]
    control: list[str]


def _vocabulary(fields: _Fields, size: int) -> _Vocabulary:
    tokens = fields.get("tokenizer.ggml.tokens", list)
    kinds = fields.get("tokenizer.ggml.token_type", list)
    if not len(tokens) == len(kinds) == size:
        raise SourceInvalid(f"GGUF tokens: expected {size} tokens and types, got {len(tokens)} and {len(kinds)}")
    if surplus := set(kinds) - {TokenType.NORMAL, TokenType.CONTROL}:
        raise SourceInvalid(f"GGUF token types: expected normal and control tokens, got type {min(surplus)}")
    control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == TokenType.CONTROL]
    return _Vocabulary(tokens, control)


def _tokenizer(fields: _Fields, vocabulary: _Vocabulary) -> bytes:
    merges = [_pair(merge) for merge in fields.get("tokenizer.ggml.merges", list)]
    return byte_level_bpe(vocabulary.tokens, merges, vocabulary.control)


def _pair(merge: str) -> tuple[str, str]:
    left, separator, right = merge.partition(" ")
    if not (left and separator and right) or " " in right:
        raise SourceInvalid("GGUF merges: expected two tokens and a space in each")
    return left, right


def _stop_tokens(fields: _Fields, vocabulary: _Vocabulary) -> list[int]:
    # <|endoftext|> ends a document: a model that emits it in a conversation has nothing more to say either.
    control = {token: vocabulary.tokens.index(token) for token in vocabulary.control}
    end = fields.get("tokenizer.ggml.eos_token_id", int)
    if end not in control.values():
        raise SourceInvalid(f"GGUF tokenizer.ggml.eos_token_id: expected the id of a control token, got {end}")
    return sorted({end, control.get("<|endoftext|>", end)})
