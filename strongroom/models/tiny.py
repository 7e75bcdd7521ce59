"""Tiny models with seeded random weights, made by the very code that makes the real ones.

They say nothing sensible and take less than a second: for tests, for the simulator, for trying the appliance out.
"""

from pathlib import Path

import numpy as np

from strongroom.models.assemble import GRAPH, Identity, write_decoder, write_encoder
from strongroom.models.decoder import Decoder, DecoderShape
from strongroom.models.encoder import Encoder, EncoderShape
from strongroom.models.graph import Graph
from strongroom.models.package import write_package
from strongroom.models.tokenizer_json import byte_alphabet, byte_level_bpe
from strongroom.models.weights import random_weights

_CHAT_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_TEXT_SPECIAL = ["[PAD]", "[CLS]", "[SEP]"]
_CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def build_tiny_decoder(out: Path, seed: int = 0) -> Path:
    """Write the package `tiny-decoder` to `out` (absent or empty): bytes for tokens, 512 of context, ChatML."""
    tokens = _CHAT_SPECIAL + byte_alphabet()
    shape = DecoderShape(
        layers=2,
        heads=4,
        kv_heads=2,
        head_size=16,
        hidden=64,
        feed_forward=128,
        vocabulary=len(tokens),
        context_tokens=512,
        rope_theta=10_000.0,
        norm_epsilon=1e-5,
    )
    decoder = Decoder(
        shape=shape,
        weights=random_weights(shape.weight_shapes(), seed),
        tokenizer=byte_level_bpe(tokens, [], _CHAT_SPECIAL),
        template=_CHATML,
        stop_tokens=[tokens.index("<|endoftext|>"), tokens.index("<|im_end|>")],
    )
    return write_decoder(out, decoder, _identity("tiny-decoder", seed))


def build_tiny_encoder(out: Path, seed: int = 0) -> Path:
    """Write the package `tiny-encoder` to `out` (absent or empty): bytes for tokens, 32 dimensions."""
    tokens = _TEXT_SPECIAL + byte_alphabet()
    shape = EncoderShape(
        layers=2,
        heads=2,
        hidden=32,
        feed_forward=64,
        vocabulary=len(tokens),
        positions=128,
        context_tokens=128,
        norm_epsilon=1e-12,
    )
    encoder = Encoder(
        shape=shape,
        weights=random_weights(shape.weight_shapes(), seed),
        tokenizer=byte_level_bpe(tokens, [], _TEXT_SPECIAL, frame=("[CLS]", "[SEP]")),
    )
    return write_encoder(out, encoder, _identity("tiny-encoder", seed))


def build_tiny_tensor(out: Path, seed: int = 0) -> Path:
    """Write the package `tiny-tensor` to `out` (absent or empty): y [n, 3] = x [n, 4] @ w + b, float32."""
    weights = random_weights({"w": (4, 3), "bias": (3,)}, seed)
    graph = Graph("tensor")
    x = graph.input("x", np.float32, ["n", 4])
    product = graph.add("MatMul", x, graph.constant("w", weights["w"]), name="product")
    graph.add("Add", product, graph.constant("b", weights["bias"]), name="y")
    graph.output("y", np.float32, ["n", 3])
    manifest = _identity("tiny-tensor", seed).manifest("infer")
    return write_package(out, manifest, {GRAPH: graph.to_bytes()})


def _identity(model_id: str, seed: int) -> Identity:
    return Identity(id=model_id, licence="Apache-2.0", source=f"strongroom.models.tiny, seed {seed}")
