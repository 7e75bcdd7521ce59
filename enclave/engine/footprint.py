"""How much memory a model takes, estimated from its manifest alone: what was measured stays below it.

Measured with onnxruntime 1.31: the weights in a session take 1.1 to 1.8 times their file (packed copies beside some of
them), a tokenizer up to 32 times its JSON (for each token also a logit of the 64 tokens of a step), and the child that
tries a graph 3 times the graph. A tensor model is loaded in a child to serve as well, which takes as much meanwhile,
and 25 MiB whatever the graph; its files stay here, to start another. Of the activations only attention's scores grow
with the square of a text's length, and most graphs hold them twice, before and after the softmax. The others have no
bound in a manifest: the margin is theirs, and that of constants that a graph makes; `probe` refuses a graph of more.
"""

from typing import NamedTuple

from enclave.engine.capacity import Capacity
from enclave.engine.generation.graph import MAX_STEP_TOKENS
from enclave.engine.generation.kv_cache import row_bytes
from strongroom.protocol.catalogue import ModelManifest

_WEIGHTS, _TOKENIZER, _CHILD = 2, 32, 3
_MARGIN_BYTES = 32 << 20
_PROCESS_BYTES = 32 << 20
"""An interpreter with onnxruntime, without what it shares with ours."""
_SCORE_BYTES = 2 * 16 * 4
"""Of one token against another: twice, for 16 heads, in float32. A manifest says nothing of heads; 16 is usual."""
_ONE_SESSION = ("chat", "infer")


class Footprint(NamedTuple):
    """Bytes of memory: of the loaded model, and while it is received, tried and loaded."""

    resident_bytes: int
    loading_bytes: int


def footprint(manifest: ModelManifest, capacity: Capacity) -> Footprint:
    """The estimate for a model with all the conversations that it has room for."""
    files_bytes = sum(file.size_bytes for file in manifest.files)
    tokenizer_bytes = sum(file.size_bytes for file in manifest.files if file.name == manifest.tokenizer)
    weights_bytes = files_bytes - tokenizer_bytes
    sessions = 1 if manifest.task in _ONE_SESSION else 2  # an encoder's narrow and wide one
    cache_bytes = min(capacity.slots * row_bytes(manifest.chat), capacity.kv_bytes) if manifest.chat else 0
    work_bytes = _scores(manifest) * _SCORE_BYTES + _MARGIN_BYTES
    resident = sessions * _WEIGHTS * weights_bytes + _TOKENIZER * tokenizer_bytes + cache_bytes + work_bytes
    child = _CHILD * weights_bytes + _MARGIN_BYTES
    if manifest.task == "infer":
        resident, child = resident + _PROCESS_BYTES, child + _PROCESS_BYTES
        return Footprint(files_bytes + resident, files_bytes + max(resident, child))
    return Footprint(resident, files_bytes + max(resident, child))


def session_bytes(weights_bytes: int) -> int:
    """What one session on so many bytes of graph and external data may keep: the margin is for two of them."""
    return _WEIGHTS * weights_bytes + _MARGIN_BYTES // 2


def _scores(manifest: ModelManifest) -> int:
    """Pairs of tokens in attention at a time: of an encoder's two longest texts, of a step of one conversation."""
    if manifest.chat:
        return MAX_STEP_TOKENS * manifest.chat.context_tokens
    encoder = manifest.embed or manifest.classify or manifest.tag
    return 2 * encoder.context_tokens**2 if encoder else 0
