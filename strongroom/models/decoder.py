"""A decoder before it is a package: shape, weights, tokenizer, template (Llama architecture, tied embedding)."""

from dataclasses import dataclass

from strongroom.models.weights import Weights


@dataclass(frozen=True)
class DecoderShape:
    """Sizes of a Llama decoder; widths in channels, `context_tokens` the longest sequence admitted."""

    layers: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    feed_forward: int
    vocabulary: int
    context_tokens: int
    rope_theta: float
    norm_epsilon: float

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor, [out, in], under the names of the GGUF specification ("Standardized tensor names")."""
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        layer: dict[str, tuple[int, ...]] = {
            "attn_norm": (self.hidden,),
            "attn_q": (queries, self.hidden),
            "attn_k": (keys, self.hidden),
            "attn_v": (keys, self.hidden),
            "attn_output": (self.hidden, queries),
            "ffn_norm": (self.hidden,),
            "ffn_gate": (self.feed_forward, self.hidden),
            "ffn_up": (self.feed_forward, self.hidden),
            "ffn_down": (self.hidden, self.feed_forward),
        }
        shapes: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (self.vocabulary, self.hidden),
            "output_norm.weight": (self.hidden,),
        }
        for index in range(self.layers):
            shapes |= {f"blk.{index}.{name}.weight": shape for name, shape in layer.items()}
        return shapes


@dataclass(frozen=True)
class Decoder:
    """Everything that makes a chat model; rotary halves are laid out as in Hugging Face's Llama, not interleaved."""

    shape: DecoderShape
    weights: Weights
    tokenizer: bytes
    template: str
    stop_tokens: list[int]
