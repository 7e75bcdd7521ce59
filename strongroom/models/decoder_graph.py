"""The ONNX graph of a Llama decoder with a KV cache, in ONNX Runtime's fused operators.

    in   input_ids [b, s] int64 · attention_mask [b, t] int64 (ones, then zeros: padding on the right)
         past_key_values.{l}.key / .value [b, kv_heads, p, head_size] float32
    out  logits [b, 1, vocabulary] float32, of each row's last token that is not padding
         present.{l}.key / .value [b, kv_heads, p', head_size] float32

Names as ONNX Runtime GenAI has them, and past and present may be one buffer. Only one position's logits are
computed: for every position of a prompt of 1,024 tokens they would be 200 MB.
"""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from strongroom.models.decoder import DecoderShape
from strongroom.models.graph import CONTRIB, Graph
from strongroom.models.precision import SHIPPED, Precision
from strongroom.models.rope import rotary_tables
from strongroom.models.weights import FloatArray, Weights

_TABLE = "token_embd"


def build_decoder_graph(shape: DecoderShape, weights: Weights, precision: Precision = SHIPPED) -> bytes:
    """The serialised graph of these weights, which bear the names of `DecoderShape.weight_shapes`."""
    return _DecoderGraph(shape, weights, precision).build()


@dataclass(frozen=True)
class _Position:
    """Where the new tokens stand, as GroupQueryAttention and the head want it; names of graph values."""

    last_index: str
    total_length: str
    cosines: str
    sines: str
    newest: str


class _DecoderGraph:
    def __init__(self, shape: DecoderShape, weights: Weights, precision: Precision) -> None:
        self.shape = shape
        self.weights = weights
        self.precision = precision
        self.graph = Graph("decoder")

    def build(self) -> bytes:
        graph, shape = self.graph, self.shape
        ids = graph.input("input_ids", np.int64, ["batch_size", "sequence_length"])
        mask = graph.input("attention_mask", np.int64, ["batch_size", "total_sequence_length"])
        graph.output("logits", np.float32, ["batch_size", 1, shape.vocabulary])
        position = self.position(ids, mask)
        residual = self.embedding(ids)
        normed = self.first_norm(residual)
        for layer in range(shape.layers):
            attended = self.attention(layer, normed, position)
            normed, residual = self.add_and_norm(attended, residual, f"blk.{layer}.ffn_norm")
            mixed = self.feed_forward(layer, normed)
            following = f"blk.{layer + 1}.attn_norm" if layer + 1 < shape.layers else "output_norm"
            normed, residual = self.add_and_norm(mixed, residual, following)
        self.head(normed, position)
        return graph.to_bytes()

    def position(self, ids: str, mask: str) -> _Position:
        graph = self.graph
        ones = graph.add("ReduceSum", mask, graph.integers(1), name="position/ones", keepdims=0)
        length = graph.add("Sub", ones, graph.integers(1), name="position/length")
        last_index = graph.add("Cast", length, name="position/last_index", to=TensorProto.INT32)
        mask_size = graph.add("Shape", mask, name="position/mask_size", start=1)
        total = graph.add("Squeeze", mask_size, name="position/total")
        total_length = graph.add("Cast", total, name="position/total_length", to=TensorProto.INT32)
        # The mask counts the cache too: a row's newest token is at most the last of the tokens given now.
        given = graph.add("Shape", ids, name="position/given", start=1)
        final = graph.add("Sub", given, graph.integers(1), name="position/final")
        row_last = graph.add("Min", length, final, name="position/row_last")
        newest = graph.add("Unsqueeze", row_last, graph.integers(1, 2), name="position/newest")
        return _Position(last_index, total_length, *self.rotary(), newest)

    def embedding(self, ids: str) -> str:
        # Looked up in the very table that the head multiplies with.
        self.precision.store(self.graph, _TABLE, self.weights[f"{_TABLE}.weight"])
        return self.precision.look_up(self.graph, _TABLE, ids, columns=self.shape.hidden, out="embedding")

    def first_norm(self, hidden: str) -> str:
        gamma = self.norm("blk.0.attn_norm")
        epsilon = self.shape.norm_epsilon
        return self.graph.add("SimplifiedLayerNormalization", hidden, gamma, name="norm", epsilon=epsilon, axis=-1)

    def add_and_norm(self, branch: str, residual: str, norm: str) -> tuple[str, str]:
        """Return (norm(branch + residual), branch + residual)."""
        outputs = [f"{norm}/normed", "", "", f"{norm}/sum"]
        self.graph.add_many(
            "SkipSimplifiedLayerNormalization", branch, residual, self.norm(norm),
            name=norm, outputs=outputs, domain=CONTRIB, epsilon=self.shape.norm_epsilon,
        )  # fmt: skip
        return outputs[0], outputs[3]

    def attention(self, layer: int, hidden: str, position: _Position) -> str:
        shape, name = self.shape, f"blk.{layer}.attention"
        parts = [self.weights[f"blk.{layer}.attn_{part}.weight"] for part in "qkv"]
        packed = self.linear(f"blk.{layer}.attn_qkv", np.concatenate(parts), hidden)
        past, present = self.cache(layer)
        self.graph.add_many(
            "GroupQueryAttention", packed, "", "", *past,
            position.last_index, position.total_length, position.cosines, position.sines,
            name=name, outputs=[name, *present], domain=CONTRIB,
            num_heads=shape.heads, kv_num_heads=shape.kv_heads, do_rotary=1,
        )  # fmt: skip
        return self.linear(f"blk.{layer}.attn_output", self.weights[f"blk.{layer}.attn_output.weight"], name)

    def cache(self, layer: int) -> tuple[list[str], list[str]]:
        """Declare the layer's past (inputs) and present (outputs), key before value."""
        kv_heads, head_size = self.shape.kv_heads, self.shape.head_size
        past = [f"past_key_values.{layer}.{part}" for part in ("key", "value")]
        present = [f"present.{layer}.{part}" for part in ("key", "value")]
        for name in past:
            self.graph.input(name, np.float32, ["batch_size", kv_heads, "past_length", head_size])
        for name in present:
            self.graph.output(name, np.float32, ["batch_size", kv_heads, "present_length", head_size])
        return past, present

    def feed_forward(self, layer: int, hidden: str) -> str:
        graph, name = self.graph, f"blk.{layer}"
        gate = self.linear(f"{name}.ffn_gate", self.weights[f"{name}.ffn_gate.weight"], hidden)
        up = self.linear(f"{name}.ffn_up", self.weights[f"{name}.ffn_up.weight"], hidden)
        sigmoid = graph.add("Sigmoid", gate, name=f"{name}.sigmoid")
        silu = graph.add("Mul", gate, sigmoid, name=f"{name}.silu")
        gated = graph.add("Mul", silu, up, name=f"{name}.gated")
        return self.linear(f"{name}.ffn_down", self.weights[f"{name}.ffn_down.weight"], gated)

    def head(self, hidden: str, position: _Position) -> None:
        graph, shape = self.graph, self.shape
        newest = graph.add("GatherND", hidden, position.newest, name="head/newest", batch_dims=1)
        rows, columns = shape.vocabulary, shape.hidden
        self.precision.multiply(graph, _TABLE, newest, rows=rows, columns=columns, out="logits")

    def linear(self, name: str, matrix: FloatArray, hidden: str) -> str:
        rows, columns = matrix.shape
        self.precision.store(self.graph, name, matrix)
        return self.precision.multiply(self.graph, name, hidden, rows=rows, columns=columns, out=name)

    def norm(self, name: str) -> str:
        return self.graph.constant(f"{name}.weight", self.weights[f"{name}.weight"])

    def rotary(self) -> tuple[str, str]:
        cosines, sines = rotary_tables(self.shape.context_tokens, self.shape.head_size, self.shape.rope_theta)
        return self.graph.constant("rope.cosines", cosines), self.graph.constant("rope.sines", sines)
