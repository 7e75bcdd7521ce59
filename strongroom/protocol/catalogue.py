"""Model manifests and the catalogue that PCR16 holds.

A model package is a directory with `model.toml` (the manifest) and the files it lists. The catalogue names each
model by id, version and the SHA-384 of its manifest's bytes, and each manifest names its files by SHA-256: the
catalogue's digest, measured into PCR16, therefore fixes every byte of every model.
"""

import hashlib
from typing import Annotated, Literal

from msgspec import Meta, Struct

from strongroom.protocol import toml
from strongroom.protocol.constants import MAX_CATALOGUE_BYTES, MAX_MANIFEST_BYTES
from strongroom.protocol.errors import InvalidDocument
from strongroom.protocol.names import Identifier, SHA256Hex, SHA384Hex, ShortText

Task = Literal["chat", "embed", "classify", "tag", "infer"]


class ModelFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a package: a plain name, its size in bytes, its SHA-256."""

    name: Identifier
    size_bytes: Annotated[int, Meta(ge=1, le=1 << 36)]
    sha256: SHA256Hex


class ChatSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a decoder needs besides its graph: shapes of the KV cache, stop tokens, template."""

    layers: Annotated[int, Meta(ge=1, le=512)]
    kv_heads: Annotated[int, Meta(ge=1, le=512)]
    head_size: Annotated[int, Meta(ge=1, le=1024)]
    context_tokens: Annotated[int, Meta(ge=16, le=1 << 20)]
    stop_tokens: Annotated[list[Annotated[int, Meta(ge=0, le=1 << 31)]], Meta(min_length=1, max_length=16)]
    template: Annotated[str, Meta(max_length=16 << 10)]
    """Chat template (Jinja): model-supplied code, run only in a sandbox."""


ContextTokens = Annotated[int, Meta(ge=1, le=1 << 16)]


class EmbedSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What an encoder needs besides its graph: token limit, width, pooling."""

    context_tokens: ContextTokens
    dimensions: Annotated[int, Meta(ge=1, le=1 << 16)]
    pooling: Literal["mean", "cls"]
    normalize: bool = True


Label = Annotated[str, Meta(min_length=1, max_length=256)]
Labels = Annotated[list[Label], Meta(min_length=1, max_length=1024)]
"""Of the graph's logits, in their order; each once."""


class ClassifySettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a classifier of texts needs besides its graph: token limit, labels, and how logits become scores."""

    context_tokens: ContextTokens
    labels: Labels
    scoring: Literal["softmax", "sigmoid"]
    """softmax: one label holds, the scores add up to 1. sigmoid: each label holds or not, by itself."""


class TagSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a classifier of tokens needs besides its graph: token limit, labels, and how labels become spans."""

    context_tokens: ContextTokens
    labels: Labels
    scheme: Literal["bio", "plain"]
    """bio: a label other than `outside` is B-X where a span of X begins, or I-X inside it. plain: it is X itself."""
    outside: Label
    """The label of tokens in no span."""


class InferSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What a tensor model may ask for besides its graph."""

    finite_inputs: bool
    """Refuse NaN and infinities in its inputs, which some graphs turn into plausible answers; others expect them."""


class ModelManifest(Struct, frozen=True, forbid_unknown_fields=True):
    """`model.toml`: the identity of a model and the digests of its files."""

    id: Identifier
    version: Identifier
    task: Task
    licence: ShortText
    source: ShortText
    graph: Identifier
    files: Annotated[list[ModelFile], Meta(min_length=1, max_length=32)]
    tokenizer: Identifier | None = None
    chat: ChatSettings | None = None
    embed: EmbedSettings | None = None
    classify: ClassifySettings | None = None
    tag: TagSettings | None = None
    infer: InferSettings | None = None
    """May be left out: then every input is taken."""

    @classmethod
    def from_bytes(cls, data: bytes) -> "ModelManifest":
        """Parse `model.toml`; raise InvalidDocument or TooLarge."""
        manifest = toml.decode(data, cls, "model manifest", MAX_MANIFEST_BYTES)
        manifest._check()
        return manifest

    def _check(self) -> None:
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise InvalidDocument("model manifest: expected each file once, got a name twice")
        needed = [self.graph] + ([self.tokenizer] if self.tokenizer else [])
        if missing := [name for name in needed if name not in names]:
            raise InvalidDocument(f"model manifest: expected {missing[0]} among the files, got no such file")
        settings = {"chat": self.chat, "embed": self.embed, "classify": self.classify, "tag": self.tag}
        if {task for task, given in settings.items() if given is not None} != {self.task} - {"infer"}:
            raise InvalidDocument(f"model manifest: expected the settings of task {self.task!r} and no others")
        if self.infer is not None and self.task != "infer":
            raise InvalidDocument(f"model manifest: expected no settings of task 'infer' for task {self.task!r}")
        if self.task != "infer" and self.tokenizer is None:
            raise InvalidDocument(f"model manifest: expected a tokenizer for task {self.task!r}, got none")
        if self.classify is not None:
            _check_labels(self.classify.labels)
        if self.tag is not None:
            _check_tags(self.tag)


def _check_labels(labels: list[str]) -> None:
    if len(set(labels)) != len(labels):
        raise InvalidDocument("model manifest: expected each label once, got one twice")


def _check_tags(settings: TagSettings) -> None:
    _check_labels(settings.labels)
    if settings.outside not in settings.labels:
        raise InvalidDocument("model manifest: expected `outside` among the labels, got another")
    others = set(settings.labels) - {settings.outside}
    if settings.scheme == "bio" and any(label[:2] not in ("B-", "I-") or len(label) == 2 for label in others):
        raise InvalidDocument("model manifest: expected labels B-X and I-X besides `outside`, got others")


class CatalogueEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """One model that the enclave may load, and the configuration's key entry that opens its weights."""

    id: Identifier
    version: Identifier
    task: Task
    manifest_sha384: SHA384Hex
    key: Identifier


class Catalogue(Struct, frozen=True, forbid_unknown_fields=True):
    """The list of models that PCR16 holds; nothing else can be loaded."""

    version: Literal[1]
    model: Annotated[list[CatalogueEntry], Meta(min_length=1, max_length=64)]

    @classmethod
    def from_bytes(cls, data: bytes) -> "Catalogue":
        """Parse a catalogue; raise InvalidDocument or TooLarge."""
        catalogue = toml.decode(data, cls, "model catalogue", MAX_CATALOGUE_BYTES)
        ids = [entry.id for entry in catalogue.model]
        if len(set(ids)) != len(ids):
            raise InvalidDocument("model catalogue: expected each model id once, got one twice")
        return catalogue

    def find(self, model_id: str) -> CatalogueEntry | None:
        """The entry of that id, or None."""
        return next((entry for entry in self.model if entry.id == model_id), None)


def manifest_digest(manifest: bytes) -> str:
    """SHA-384 of the manifest's bytes, in hex, as the catalogue holds it."""
    return hashlib.sha384(manifest).hexdigest()
