"""The signature of a decoder graph."""

from typing import TYPE_CHECKING, NamedTuple

from enclave.engine.errors import ModelRejected
from enclave.engine.sessions import Port, inputs, outputs, require_ports
from strongroom.protocol.catalogue import ChatSettings

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_FLOAT, _INT64 = "tensor(float)", "tensor(int64)"


class LogitsShape(NamedTuple):
    """What a step's logits are: of the last token alone or of every token, [vocabulary] each."""

    last_only: bool
    vocabulary: int


def require_decoder(session: "InferenceSession", settings: ChatSettings) -> LogitsShape:
    """Check the ports that DecoderGraph names against the settings; raise ModelRejected."""
    cache = (None, settings.kv_heads, None, settings.head_size)
    names = [f"{layer}.{part}" for layer in range(settings.layers) for part in ("key", "value")]
    tokens = [Port("input_ids", _INT64, (None, None)), Port("attention_mask", _INT64, (None, None))]
    require_ports(inputs(session), tokens + [Port(f"past_key_values.{name}", _FLOAT, cache) for name in names])
    found = outputs(session)
    logits = Port("logits", _FLOAT, (None, None, None))
    require_ports(found, [logits] + [Port(f"present.{name}", _FLOAT, (None,) * 4) for name in names])
    _, tokens_per_step, vocabulary = found["logits"].shape
    if not isinstance(vocabulary, int) or vocabulary < 1:
        raise ModelRejected("graph: logits: expected a fixed size of the vocabulary, got a symbol")
    return LogitsShape(tokens_per_step == 1, vocabulary)
