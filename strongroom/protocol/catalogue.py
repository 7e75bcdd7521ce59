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

Task = Literal["chat", "embed", "infer"]


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


class EmbedSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What an encoder needs besides its graph: token limit, width, pooling."""

    context_tokens: Annotated[int, Meta(ge=1, le=1 << 16)]
    dimensions: Annotated[int, Meta(ge=1, le=1 << 16)]
    pooling: Literal["mean", "cls"]
    normalize: bool = True


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
        if (self.task == "chat") != (self.chat is not None) or (self.task == "embed") != (self.embed is not None):
            raise InvalidDocument(f"model manifest: expected the settings of task {self.task!r} and no others")
        if self.task != "infer" and self.tokenizer is None:
            raise InvalidDocument(f"model manifest: expected a tokenizer for task {self.task!r}, got none")


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
