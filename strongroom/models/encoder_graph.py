"""The ONNX graph of a BERT encoder in float32, in standard operators.

    in   input_ids, attention_mask, token_type_ids [b, s] int64
    out  last_hidden_state [b, s, hidden] float32

Float32, because dynamic int8 shares one activation scale among the texts of a batch: another tenant's text would
change my vector.
"""

import numpy as np
from onnx import TensorProto

from strongroom.models.encoder import EncoderShape
from strongroom.models.graph import Dimensions, Graph
from strongroom.models.weights import Weights

_MASKED = -1e9
"""Added to the score of a padding token: its weight underflows to zero, yet a row of padding stays finite."""


def build_encoder_graph(shape: EncoderShape, weights: Weights) -> bytes:
    """The serialised graph of these weights, which bear the names of `EncoderShape.weight_shapes`."""
    return _EncoderGraph(shape, weights).build()


class _EncoderGraph:
    def __init__(self, shape: EncoderShape, weights: Weights) -> None:
        self.shape = shape
        self.weights = weights
        self.graph = Graph("encoder")

    def build(self) -> bytes:
        graph = self.graph
        dimensions: Dimensions = ["batch_size", "sequence_length"]
        ids, mask, types = (
            graph.input(name, np.int64, dimensions) for name in ("input_ids", "attention_mask", "token_type_ids")
        )
        bias = self.mask_bias(mask)
        hidden = self.embeddings(ids, types)
        for index in range(self.shape.layers):
            hidden = self.layer(f"encoder.layer.{index}", hidden, bias)
        graph.add("Identity", hidden, name="last_hidden_state")
        graph.output("last_hidden_state", np.float32, [*dimensions, self.shape.hidden])
        return graph.to_bytes()

    def mask_bias(self, mask: str) -> str:
        """What is added to the scores [b, heads, s, s]: 0 for a token, a large negative number for padding."""
        graph = self.graph
        present = graph.add("Cast", mask, name="mask/present", to=TensorProto.FLOAT)
        absent = graph.add("Sub", graph.scalar(1.0), present, name="mask/absent")
        rows = graph.add("Unsqueeze", absent, graph.integers(1, 2), name="mask/rows")
        return graph.add("Mul", rows, graph.scalar(_MASKED), name="mask/bias")

    def embeddings(self, ids: str, types: str) -> str:
        graph = self.graph
        words = graph.add("Gather", self.weight("embeddings.word_embeddings.weight"), ids, name="embeddings/words")
        kinds = graph.add(
            "Gather", self.weight("embeddings.token_type_embeddings.weight"), types, name="embeddings/types"
        )
        length = graph.add("Shape", ids, name="embeddings/length", start=1)
        table = self.weight("embeddings.position_embeddings.weight")
        positions = graph.add("Slice", table, graph.integers(0), length, name="embeddings/positions")
        tokens = graph.add("Add", words, kinds, name="embeddings/tokens")
        total = graph.add("Add", tokens, positions, name="embeddings/sum")
        return self.layer_norm("embeddings.LayerNorm", total)

    def layer(self, name: str, hidden: str, bias: str) -> str:
        attended = self.dense(f"{name}.attention.output.dense", self.attention(f"{name}.attention", hidden, bias))
        middle = self.residual(f"{name}.attention.output.LayerNorm", attended, hidden)
        widened = self.dense(f"{name}.intermediate.dense", middle)
        active = self.graph.add("Gelu", widened, name=f"{name}.gelu", approximate="none")
        return self.residual(f"{name}.output.LayerNorm", self.dense(f"{name}.output.dense", active), middle)

    def attention(self, name: str, hidden: str, bias: str) -> str:
        graph = self.graph
        query = self.heads(f"{name}.self.query", hidden, [0, 2, 1, 3])
        key = self.heads(f"{name}.self.key", hidden, [0, 2, 3, 1])
        value = self.heads(f"{name}.self.value", hidden, [0, 2, 1, 3])
        products = graph.add("MatMul", query, key, name=f"{name}.products")
        scale = graph.scalar(self.shape.head_size**-0.5)
        scaled = graph.add("Mul", products, scale, name=f"{name}.scaled")
        scores = graph.add("Add", scaled, bias, name=f"{name}.scores")
        shares = graph.add("Softmax", scores, name=f"{name}.shares", axis=-1)
        mixed = graph.add("MatMul", shares, value, name=f"{name}.mixed")
        rows = graph.add("Transpose", mixed, name=f"{name}.rows", perm=[0, 2, 1, 3])
        return graph.add("Reshape", rows, graph.integers(0, 0, self.shape.hidden), name=f"{name}.joined")

    def heads(self, name: str, hidden: str, order: list[int]) -> str:
        """Project and split [b, s, hidden] into heads, with the axes (b, s, head, channel) in `order`."""
        split = self.graph.integers(0, 0, self.shape.heads, self.shape.head_size)
        parts = self.graph.add("Reshape", self.dense(name, hidden), split, name=f"{name}.split")
        return self.graph.add("Transpose", parts, name=f"{name}.heads", perm=order)

    def residual(self, norm: str, branch: str, hidden: str) -> str:
        return self.layer_norm(norm, self.graph.add("Add", branch, hidden, name=f"{norm}.sum"))

    def dense(self, name: str, hidden: str) -> str:
        # Published as [out, in]; MatMul multiplies with [in, out].
        matrix = self.graph.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        product = self.graph.add("MatMul", hidden, matrix, name=f"{name}.product")
        return self.graph.add("Add", product, self.weight(f"{name}.bias"), name=name)

    def layer_norm(self, name: str, hidden: str) -> str:
        scale, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        epsilon = self.shape.norm_epsilon
        return self.graph.add("LayerNormalization", hidden, scale, bias, name=name, axis=-1, epsilon=epsilon)

    def weight(self, name: str) -> str:
        return self.graph.constant(name, self.weights[name])
