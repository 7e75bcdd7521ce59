"""Model packages: a directory with `model.toml` and the files it names by size and SHA-256."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import structs

from enclave.engine.graph_scan.limits import MAX_GRAPH_BYTES
from strongroom.documents import to_toml
from strongroom.models.digests import sha256_file
from strongroom.models.errors import PackageInvalid
from strongroom.protocol.catalogue import ModelFile, ModelManifest
from strongroom.protocol.constants import MAX_MANIFEST_BYTES

MANIFEST = "model.toml"


def write_package(directory: Path, manifest: ModelManifest, files: Mapping[str, bytes]) -> Path:
    """Write a package and return `directory`: whole, or not at all.

    The manifest's `files` are replaced by what is written. The bytes depend on the arguments alone. Raises
    PackageInvalid when `directory` exists and is not empty, InvalidDocument when the manifest breaks its schema.
    """
    described = [_describe(name, data) for name, data in sorted(files.items())]
    text = to_toml(structs.replace(manifest, files=described))
    ModelManifest.from_bytes(text)
    require_vacant(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".package-", dir=directory.parent) as temporary:
        draft = Path(temporary) / "package"
        draft.mkdir()
        for name, data in {**files, MANIFEST: text}.items():
            (draft / name).write_bytes(data)
        os.rename(draft, directory)
    return directory


def load_package(directory: Path) -> tuple[bytes, ModelManifest, dict[str, Path]]:
    """Return the manifest's bytes, the manifest, and the path of each file, after checking sizes and SHA-256.

    Raises PackageInvalid for a file that is missing, not a plain file, or altered, and for a graph that is longer than
    the enclave's scan takes; InvalidDocument or TooLarge for the manifest. The paths are as good as the directory:
    whoever reads them later must check again.
    """
    text = _read_manifest(directory / MANIFEST)
    manifest = ModelManifest.from_bytes(text)
    paths = {file.name: directory / file.name for file in manifest.files}
    for file in manifest.files:  # of all, before the first is read: a file can be a hole of any length
        _check_size(file, paths[file.name], is_graph=file.name == manifest.graph)
    for file in manifest.files:
        _check_digest(file, paths[file.name])
    return text, manifest, paths


def _describe(name: str, data: bytes) -> ModelFile:
    return ModelFile(name=name, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def require_vacant(directory: Path) -> None:
    """Raise PackageInvalid unless `directory` can take a new package: it is absent or empty."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise PackageInvalid(f"{directory}: expected no such directory or an empty one, got files; remove it first")


def _read_manifest(path: Path) -> bytes:
    _require_plain(path)
    with path.open("rb") as file:
        return file.read(MAX_MANIFEST_BYTES + 1)


def _check_size(file: ModelFile, path: Path, *, is_graph: bool) -> None:
    _require_plain(path)
    if (size := path.stat().st_size) != file.size_bytes:
        raise PackageInvalid(f"{file.name}: expected {file.size_bytes} bytes, got {size}")
    if is_graph and size > MAX_GRAPH_BYTES:
        raise PackageInvalid(f"{file.name}: expected a graph of at most {MAX_GRAPH_BYTES} bytes, got {size}")


def _check_digest(file: ModelFile, path: Path) -> None:
    if (actual := sha256_file(path)) != file.sha256:
        raise PackageInvalid(f"{file.name}: expected SHA-256 {file.sha256}, got {actual}")


def _require_plain(path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        raise PackageInvalid(f"{path.name}: expected a plain file in {path.parent}, got none")
