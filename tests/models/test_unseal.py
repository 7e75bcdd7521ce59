"""Opening a sealed model as an enclave does: any byte that is not the sealer's is told, and nothing is written."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import structs

from strongroom.models.assemble import Identity, write_tensor_model
from strongroom.models.errors import SealedInvalid
from strongroom.models.seal import catalogue_of, seal_package
from strongroom.models.tiny import build_tiny_decoder, build_tiny_tensor
from strongroom.models.unseal import SealedModel, unseal
from strongroom.protocol.catalogue import Catalogue, ModelManifest
from strongroom.protocol.configuration import DeploymentConfiguration
from strongroom.protocol.errors import InvalidDocument
from tests.models.test_seal import CONFIGURATION, DATA_KEY, KEY


@dataclass
class Rest:
    """A sealed tiny model and what it was sealed with."""

    path: Path
    package: Path
    catalogue: Catalogue
    asked: list[tuple[str, dict[str, str], bytes]]

    def open(
        self,
        data_key: bytes = DATA_KEY,
        configuration: DeploymentConfiguration = CONFIGURATION,
        catalogue: Catalogue | None = None,
    ) -> tuple[ModelManifest, dict[str, bytes]]:
        def open_key(arn: str, context: dict[str, str], wrapped: bytes) -> bytes:
            self.asked.append((arn, context, wrapped))
            return data_key

        return unseal(
            SealedModel.at(self.path),
            configuration=configuration,
            catalogue=catalogue or self.catalogue,
            open_key=open_key,
        )


def sealed(package: Path, *, check: bool = False) -> Rest:
    catalogue = catalogue_of([package], "models")
    path = seal_package(
        package,
        package.parent / "sealed",
        configuration=CONFIGURATION,
        catalogue=catalogue,
        make_key=lambda arn, context: (DATA_KEY, b"wrapped"),
        check=check,
    )
    return Rest(path, package, catalogue, [])


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return sealed(build_tiny_tensor(tmp_path / "tiny"))


def test_what_was_sealed_comes_out(rest: Rest) -> None:
    manifest, files = rest.open()
    assert manifest.id == "tiny-tensor"
    assert files == {"model.onnx": (rest.package / "model.onnx").read_bytes()}
    context = {"purpose": "model", "tenant": "acme", "team": "vision", "model": "tiny-tensor", "version": "1"}
    assert rest.asked == [(KEY.arn, context, b"wrapped")]
    assert [path.name for path in rest.path.parent.iterdir()] == ["tiny-tensor.sealed"]


@pytest.fixture
def large(tmp_path: Path) -> Rest:
    """Sealed in three chunks, two of them whole."""
    graph = bytes(range(256)) * (10 << 10)
    return sealed(write_tensor_model(tmp_path / "large", graph, Identity("large", "", "")), check=True)


def test_a_model_of_several_chunks(large: Rest) -> None:
    assert SealedModel.at(large.path).head.chunks == 3
    _, files = large.open()
    assert files == {"model.onnx": (large.package / "model.onnx").read_bytes()}


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 0, 2]], ids=["swapped", "repeated"])
def test_a_chunk_opens_in_its_own_place_only(large: Rest, order: list[int]) -> None:
    head, *chunks = cut(large)
    large.path.write_bytes(b"".join([head, *(chunks[index] for index in order)]))
    with pytest.raises(SealedInvalid, match="altered"):
        large.open()


def test_a_chunk_of_another_sealing_under_the_same_key_does_not_open(large: Rest) -> None:
    head, first, _, last = cut(large)
    _, _, second, _ = cut(sealed(large.package))
    large.path.write_bytes(head + first + second + last)
    with pytest.raises(SealedInvalid, match="altered"):
        large.open()


def cut(rest: Rest) -> list[bytes]:
    """Head and chunks."""
    model, data = SealedModel.at(rest.path), rest.path.read_bytes()
    ends = [model.head_bytes + model.head.segment_bytes(0, count) for count in range(model.head.chunks + 1)]
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("place", ["head", "wrapped key", "first chunk", "tag"])
def test_a_flipped_bit_is_told(rest: Rest, place: str) -> None:
    data = bytearray(rest.path.read_bytes())
    head_bytes = SealedModel.at(rest.path).head_bytes
    at = {"head": 90, "wrapped key": head_bytes - 1, "first chunk": head_bytes + 40, "tag": -1}[place]
    data[at] ^= 1
    rest.path.write_bytes(data)
    with pytest.raises(SealedInvalid, match=r"tiny-tensor\.sealed: "):
        rest.open()


@pytest.mark.parametrize("change", [-1, 1, -100])
def test_a_cut_or_longer_file_is_told_by_its_head(rest: Rest, change: int) -> None:
    data = rest.path.read_bytes()
    rest.path.write_bytes(data[:change] if change < 0 else data + bytes(change))
    with pytest.raises(SealedInvalid, match="by its head"):
        SealedModel.at(rest.path)


def test_another_key_tenant_or_manifest_does_not_open(rest: Rest, tmp_path: Path) -> None:
    with pytest.raises(SealedInvalid, match="another key"):
        rest.open(data_key=b"e" * 32)
    other = DeploymentConfiguration(
        version=1, deployment="acme", description="", kms=CONFIGURATION.kms,
        key=[type(KEY)("models", "model", "other", KEY.arn, KEY.context)],
    )  # fmt: skip
    with pytest.raises(SealedInvalid, match="another key"):
        rest.open(configuration=other)
    of_another = catalogue_of([build_tiny_tensor(tmp_path / "seed-1", seed=1)], "models")
    with pytest.raises(SealedInvalid, match="manifest of the catalogue"):
        rest.open(catalogue=of_another)


def test_a_model_outside_the_catalogue_asks_kms_for_nothing(rest: Rest, tmp_path: Path) -> None:
    with pytest.raises(SealedInvalid, match="a model of the catalogue"):
        rest.open(catalogue=catalogue_of([build_tiny_decoder(tmp_path / "decoder")], "models"))
    [entry] = rest.catalogue.model
    with pytest.raises(SealedInvalid, match="got tiny-tensor 1"):
        rest.open(catalogue=Catalogue(version=1, model=[structs.replace(entry, version="2")]))
    with pytest.raises(InvalidDocument, match="key entry 'elsewhere'"):
        rest.open(catalogue=catalogue_of([rest.package], "elsewhere"))
    assert rest.asked == []


def test_a_file_that_changed_while_it_was_sealed_is_told_by_its_digest(tmp_path: Path) -> None:
    package = build_tiny_tensor(tmp_path / "tiny")

    def change(arn: str, context: dict[str, str]) -> tuple[bytes, bytes]:
        graph = (package / "model.onnx").read_bytes()
        (package / "model.onnx").write_bytes(graph[:-1] + bytes([graph[-1] ^ 1]))
        return DATA_KEY, b"wrapped"

    with pytest.raises(SealedInvalid, match=r"file model\.onnx: expected the manifest's bytes"):
        seal_package(
            package,
            tmp_path / "sealed",
            configuration=CONFIGURATION,
            catalogue=catalogue_of([package], "models"),
            make_key=change,
            check=True,
        )
    assert list((tmp_path / "sealed").iterdir()) == []


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SealedInvalid, match="pipe: expected a file"):
        SealedModel.at(tmp_path / "pipe")


@pytest.mark.parametrize("data", [b"", b"[project]\n", bytes(4096)], ids=["empty", "text", "zeros"])
def test_what_is_no_sealed_model_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(SealedInvalid, match="file: sealed weights"):
        SealedModel.at(tmp_path / "file")


def test_seal_checks_before_the_file_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: SealedModel, *_: object) -> None:
        assert self.path.parent.name.startswith(".sealing-")
        raise SealedInvalid("does not open")

    monkeypatch.setattr(SealedModel, "open", fail)
    package = build_tiny_tensor(tmp_path / "tiny")
    with pytest.raises(SealedInvalid):
        sealed(package, check=True)
    assert list((tmp_path / "sealed").iterdir()) == []
    sealed(package)
