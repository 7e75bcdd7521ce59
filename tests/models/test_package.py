import os
from pathlib import Path

import pytest
from msgspec import structs

from enclave.engine.graph_scan.limits import MAX_GRAPH_BYTES
from strongroom.documents import to_toml
from strongroom.models.errors import PackageInvalid
from strongroom.models.package import load_package, write_package
from strongroom.protocol.catalogue import ChatSettings, EmbedSettings, ModelManifest
from strongroom.protocol.constants import MAX_MANIFEST_BYTES
from strongroom.protocol.errors import InvalidDocument, TooLarge

MANIFEST = ModelManifest(
    id="m", version="1", task="infer", licence="Apache-2.0", source="a test", graph="model.onnx", files=[]
)
FILES = {"model.onnx": b"graph bytes", "extra.bin": b"\x00\x01"}
CHAT = ChatSettings(layers=1, kv_heads=1, head_size=16, context_tokens=16, stop_tokens=[0, 2], template="")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write_package(tmp_path / "package", MANIFEST, FILES)


def alter_byte(package: Path) -> None:
    (package / "model.onnx").write_bytes(b"graph bytez")


def truncate(package: Path) -> None:
    (package / "model.onnx").write_bytes(b"graph")


def remove_file(package: Path) -> None:
    (package / "extra.bin").unlink()


def remove_manifest(package: Path) -> None:
    (package / "model.toml").unlink()


def replace_by_directory(package: Path) -> None:
    (package / "extra.bin").unlink()
    (package / "extra.bin").mkdir()


def replace_by_link(package: Path) -> None:
    (package / "model.onnx").rename(package.parent / "elsewhere")
    (package / "model.onnx").symlink_to(package.parent / "elsewhere")


def replace_manifest_by_link(package: Path) -> None:
    (package / "model.toml").rename(package.parent / "elsewhere")
    (package / "model.toml").symlink_to(package.parent / "elsewhere")


def replace_by_pipe(package: Path) -> None:
    (package / "model.onnx").unlink()
    os.mkfifo(package / "model.onnx")


@pytest.mark.parametrize(
    "tamper",
    [
        alter_byte,
        truncate,
        remove_file,
        remove_manifest,
        replace_by_directory,
        replace_by_link,
        replace_manifest_by_link,
        replace_by_pipe,
    ],
)
def test_a_package_that_was_tampered_with_is_refused(package: Path, tamper: object) -> None:
    assert callable(tamper)
    tamper(package)
    with pytest.raises(PackageInvalid):
        load_package(package)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "Model.onnx", "a/b", ".hidden", ""])
def test_a_manifest_cannot_name_a_file_elsewhere(package: Path, name: str) -> None:
    text = (package / "model.toml").read_text().replace('"extra.bin"', f'"{name}"')
    (package / "model.toml").write_text(text)
    with pytest.raises(InvalidDocument):
        load_package(package)


def test_an_oversized_manifest_is_refused(package: Path) -> None:
    with (package / "model.toml").open("ab") as file:
        file.write(b"#" * MAX_MANIFEST_BYTES)
    with pytest.raises(TooLarge):
        load_package(package)


def test_a_file_of_the_wrong_size_is_refused_by_its_size(package: Path) -> None:
    os.truncate(package / "model.onnx", 1 << 30)
    with pytest.raises(PackageInvalid, match="expected 11 bytes"):
        load_package(package)


def test_all_sizes_are_judged_before_any_content(package: Path) -> None:
    (package / "extra.bin").write_bytes(b"\x00\x02")
    truncate(package)
    with pytest.raises(PackageInvalid, match=r"^model.onnx: expected 11 bytes, got 5$"):
        load_package(package)


def test_a_graph_that_no_enclave_takes_is_refused_by_its_size(package: Path) -> None:
    (package / "model.toml").write_text((package / "model.toml").read_text().replace("= 11", f"= {1 << 32}"))
    os.truncate(package / "model.onnx", 1 << 32)
    with pytest.raises(PackageInvalid, match=f"^model.onnx: expected a graph of at most {MAX_GRAPH_BYTES} bytes, got"):
        load_package(package)


@pytest.mark.parametrize(
    "manifest",
    [
        structs.replace(MANIFEST, id="Upper Case"),
        structs.replace(MANIFEST, graph="absent.onnx"),
        structs.replace(MANIFEST, task="chat"),
        structs.replace(MANIFEST, task="chat", chat=CHAT),
        structs.replace(MANIFEST, licence="x" * 257),
    ],
)
def test_a_manifest_that_breaks_its_schema_is_not_written(tmp_path: Path, manifest: ModelManifest) -> None:
    with pytest.raises(InvalidDocument):
        write_package(tmp_path / "package", manifest, FILES)
    assert not list(tmp_path.iterdir())


def test_an_occupied_directory_is_never_overwritten(package: Path) -> None:
    before = {path.name: path.read_bytes() for path in package.iterdir()}
    with pytest.raises(PackageInvalid, match="remove it first"):
        write_package(package, MANIFEST, {"model.onnx": b"other"})
    assert {path.name: path.read_bytes() for path in package.iterdir()} == before


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "rename", no_space)
    with pytest.raises(OSError, match="no space"):
        write_package(tmp_path / "package", MANIFEST, FILES)
    assert not list(tmp_path.iterdir())


def test_what_is_written_is_loaded(package: Path) -> None:
    text, manifest, paths = load_package(package)
    assert text == (package / "model.toml").read_bytes()
    assert structs.replace(manifest, files=[]) == MANIFEST
    assert {name: path.read_bytes() for name, path in paths.items()} == FILES


def test_an_empty_directory_may_be_the_target(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    assert load_package(write_package(tmp_path / "package", MANIFEST, FILES))


def test_order_of_the_files_does_not_matter(tmp_path: Path) -> None:
    one = write_package(tmp_path / "one", MANIFEST, FILES)
    two = write_package(tmp_path / "two", MANIFEST, dict(reversed(FILES.items())))
    assert (one / "model.toml").read_bytes() == (two / "model.toml").read_bytes()


@pytest.mark.parametrize(
    "template", ["", "a\nb\t\"quoted\" \\ 'x'", "\x00\x1f\x7f\x80", "naïve 🙂", "{% if %}\r\n", "'''"]
)
def test_every_template_survives_the_manifest(tmp_path: Path, template: str) -> None:
    manifest = structs.replace(
        MANIFEST, task="chat", tokenizer="extra.bin", chat=structs.replace(CHAT, template=template)
    )
    _, loaded, _ = load_package(write_package(tmp_path / "package", manifest, FILES))
    assert loaded.chat == manifest.chat


def test_settings_of_an_encoder_survive_the_manifest() -> None:
    embed = EmbedSettings(context_tokens=7, dimensions=3, pooling="cls", normalize=False)
    manifest = structs.replace(MANIFEST, task="embed", embed=embed)
    assert b'\n[embed]\ncontext_tokens = 7\ndimensions = 3\npooling = "cls"\nnormalize = false\n' in to_toml(manifest)
