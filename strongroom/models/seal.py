"""Sealing a model package: at rest it is ciphertext, its data key wrapped by KMS under the model's own context."""

import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from strongroom.models.errors import PackageInvalid
from strongroom.models.package import load_package
from strongroom.models.unseal import SealedModel
from strongroom.protocol.catalogue import Catalogue, CatalogueEntry, ModelFile, manifest_digest
from strongroom.protocol.configuration import DeploymentConfiguration
from strongroom.protocol.errors import InvalidDocument
from strongroom.protocol.weights import WeightsCipher, new_weights_head, seal_weights

_READ_BYTES = 1 << 20
_DATA_KEY_BYTES = 32
_LENGTH_BYTES = 4


class DataKeyMaker(Protocol):
    """What sealing needs of KMS: GenerateDataKey (AES-256) under a key and an encryption context."""

    def __call__(self, arn: str, context: dict[str, str]) -> tuple[bytes, bytes]:
        """The data key in plain (32 bytes) and wrapped."""


def catalogue_of(packages: list[Path], key: str) -> Catalogue:
    """The catalogue of these packages, all opened by the configuration's key entry `key`."""
    return Catalogue(version=1, model=[_entry(package, key) for package in packages])


def seal_package(
    package: Path,
    out_dir: Path,
    *,
    configuration: DeploymentConfiguration,
    catalogue: Catalogue,
    make_key: DataKeyMaker,
    check: bool = False,
) -> Path:
    """Write `<model id>.sealed` into `out_dir`, whole or not at all, and return its path.

    With `check` it is opened again, which takes the model's size in memory. Raises PackageInvalid for a damaged
    package, InvalidDocument when the catalogue names another manifest or the data key is no AES-256 key, and
    SealedInvalid for what does not open.
    """
    manifest_bytes, manifest, paths = load_package(package)
    entry = catalogue.find(manifest.id)
    if entry is None or entry.manifest_sha384 != manifest_digest(manifest_bytes):
        raise InvalidDocument(f"model {manifest.id}: expected the catalogue to name this package; make it anew")
    key = configuration.find_key(entry.key, "model")
    data_key, wrapped = make_key(key.arn, key.model_context(entry))
    if len(data_key) != _DATA_KEY_BYTES or not wrapped:  # any length would seal, an empty one for everybody
        raise InvalidDocument(f"data key: expected {_DATA_KEY_BYTES} bytes, in plain and wrapped, got another")
    plaintext_bytes = _LENGTH_BYTES + len(manifest_bytes) + sum(file.size_bytes for file in manifest.files)
    head = new_weights_head(manifest.id, manifest.version, plaintext_bytes, wrapped)
    cipher = WeightsCipher(head, data_key, key.arn, key.model_context(entry))
    front = len(manifest_bytes).to_bytes(_LENGTH_BYTES, "big") + manifest_bytes
    plaintext = chain([front], *(_contents(file, paths[file.name]) for file in manifest.files))

    def opens(draft: Path) -> None:
        if check:
            SealedModel.at(draft).open(entry, cipher)

    return _write(out_dir / f"{manifest.id}.sealed", seal_weights(cipher, plaintext), opens)


def _entry(package: Path, key: str) -> CatalogueEntry:
    manifest_bytes, manifest, _ = load_package(package)
    return CatalogueEntry(manifest.id, manifest.version, manifest.task, manifest_digest(manifest_bytes), key)


def _contents(file: ModelFile, path: Path) -> Iterator[bytes]:
    """As many bytes as the manifest says: the length of the weights is fixed before the first of them is read."""
    left = file.size_bytes
    with path.open("rb") as source:
        while piece := source.read(min(_READ_BYTES, left)):
            left -= len(piece)
            yield piece
    if left:
        raise PackageInvalid(f"{file.name}: expected {left} more bytes, got a file that has shrunk")


def _write(path: Path, pieces: Iterator[bytes], check: Callable[[Path], None]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".sealing-", dir=path.parent) as temporary:
        draft = Path(temporary) / path.name
        with draft.open("wb") as file:
            file.writelines(pieces)
        check(draft)
        os.replace(draft, path)
    return path
