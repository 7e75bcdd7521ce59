"""An encoder before it is a package: shape, weights, tokenizer (BERT architecture)."""

from dataclasses import dataclass

from strongroom.models.weights import Weights


@dataclass(frozen=True)
class EncoderShape:
    """Sizes of a BERT encoder; widths in channels, `positions` and `context_tokens` in tokens."""

    layers: int
    heads: int
    hidden: int
    feed_forward: int
    vocabulary: int
    positions: int
    context_tokens: int
    norm_epsilon: float

    @property
    def head_size(self) -> int:
        """Channels of one attention head."""
        return self.hidden // self.heads

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor, matrices [out, in], under the names that published BERT checkpoints give them."""
        hidden = self.hidden
        shapes: dict[str, tuple[int, ...]] = {
            "embeddings.word_embeddings.weight": (self.vocabulary, hidden),
            "embeddings.position_embeddings.weight": (self.positions, hidden),
            "embeddings.token_type_embeddings.weight": (2, hidden),
            **_layer_norm("embeddings.LayerNorm", hidden),
        }
        for index in range(self.layers):
            layer = f"encoder.layer.{index}"
            for part in ("self.query", "self.key", "self.value", "output.dense"):
                shapes |= _dense(f"{layer}.attention.{part}", hidden, hidden)
            shapes |= _layer_norm(f"{layer}.attention.output.LayerNorm", hidden)
            shapes |= _dense(f"{layer}.intermediate.dense", self.feed_forward, hidden)
            shapes |= _dense(f"{layer}.output.dense", hidden, self.feed_forward)
            shapes |= _layer_norm(f"{layer}.output.LayerNorm", hidden)
        return shapes


def _dense(name: str, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}


def _layer_norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


@dataclass(frozen=True)
class Encoder:
    """Everything that makes an embedding model whose vectors are the mean over tokens, normalised."""

    shape: EncoderShape
    weights: Weights
    tokenizer: bytes
