"""Put the parts of a model together into its package."""

from dataclasses import dataclass
from pathlib import Path

from strongroom.models.decoder import Decoder
from strongroom.models.decoder_graph import build_decoder_graph
from strongroom.models.encoder import Encoder
from strongroom.models.encoder_graph import build_encoder_graph
from strongroom.models.package import write_package
from strongroom.protocol.catalogue import ChatSettings, EmbedSettings, ModelManifest, Task

GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Identity:
    """What a package says of itself: who it is, under which licence, from where."""

    id: str
    licence: str
    source: str
    version: str = "1"

    def manifest(
        self, task: Task, chat: ChatSettings | None = None, embed: EmbedSettings | None = None
    ) -> ModelManifest:
        """A manifest without its files, which `write_package` adds."""
        return ModelManifest(
            id=self.id,
            version=self.version,
            task=task,
            licence=self.licence,
            source=self.source,
            graph=GRAPH,
            files=[],
            tokenizer=None if task == "infer" else TOKENIZER,
            chat=chat,
            embed=embed,
        )


def write_decoder(out: Path, decoder: Decoder, identity: Identity) -> Path:
    """Write a chat model's package to `out`; raise what `write_package` raises."""
    shape = decoder.shape
    chat = ChatSettings(
        layers=shape.layers,
        kv_heads=shape.kv_heads,
        head_size=shape.head_size,
        context_tokens=shape.context_tokens,
        stop_tokens=decoder.stop_tokens,
        template=decoder.template,
    )
    files = {GRAPH: build_decoder_graph(shape, decoder.weights), TOKENIZER: decoder.tokenizer}
    return write_package(out, identity.manifest("chat", chat=chat), files)


def write_encoder(out: Path, encoder: Encoder, identity: Identity) -> Path:
    """Write an embedding model's package to `out`; raise what `write_package` raises."""
    shape = encoder.shape
    embed = EmbedSettings(context_tokens=shape.context_tokens, dimensions=shape.hidden, pooling="mean")
    files = {GRAPH: build_encoder_graph(shape, encoder.weights), TOKENIZER: encoder.tokenizer}
    return write_package(out, identity.manifest("embed", embed=embed), files)


def write_tensor_model(out: Path, graph: bytes, identity: Identity) -> Path:
    """Write the package of a serialised graph of tensors to `out`; raise what `write_package` raises."""
    return write_package(out, identity.manifest("infer"), {GRAPH: graph})
