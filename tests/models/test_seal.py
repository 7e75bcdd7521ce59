"""Sealing a package: under a data key of the right length, for one tenant and purpose, or not at all."""

from pathlib import Path

import pytest

from strongroom.models.errors import PackageInvalid
from strongroom.models.seal import catalogue_of, seal_package
from strongroom.models.tiny import build_tiny_tensor
from strongroom.protocol.catalogue import CatalogueEntry
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings
from strongroom.protocol.errors import InvalidDocument, OpenFailed
from strongroom.protocol.messages import SealedWeightsHead
from strongroom.protocol.weights import WeightsCipher

KEY = KeyEntry("models", "model", "acme", "arn:aws:kms:eu-west-1:111122223333:key/1", {"team": "vision"})
CONFIGURATION = DeploymentConfiguration(
    version=1,
    deployment="acme",
    description="",
    kms=KMSSettings("arn:aws:iam::111122223333:role/parent"),
    key=[KEY],
)
DATA_KEY = b"d" * 32


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return build_tiny_tensor(tmp_path / "tiny")


def seal(package: Path, data_key: bytes = DATA_KEY, wrapped: bytes = b"w") -> Path:
    return seal_package(
        package,
        package.parent / "sealed",
        configuration=CONFIGURATION,
        catalogue=catalogue_of([package], "models"),
        make_key=lambda arn, context: (data_key, wrapped),
    )


def open_first(sealed: bytes, key: KeyEntry, entry: CatalogueEntry) -> bytes:
    """The first chunk, opened as an enclave does that has this key entry in its configuration."""
    head, length = SealedWeightsHead.read(sealed)
    cipher = WeightsCipher(head, DATA_KEY, key.arn, key.model_context(entry))
    return cipher.open(0, sealed[length : length + head.segment_bytes(0, 1)])


@pytest.mark.parametrize(("data_key", "wrapped"), [(b"", b"w"), (bytes(16), b"w"), (bytes(33), b"w"), (bytes(32), b"")])
def test_the_data_key_has_its_length(package: Path, data_key: bytes, wrapped: bytes) -> None:
    with pytest.raises(InvalidDocument, match="32 bytes"):
        seal(package, data_key, wrapped)
    assert not (package.parent / "sealed").exists()


def test_the_head_and_the_file_have_the_same_length(package: Path) -> None:
    sealed = seal(package).read_bytes()
    head, length = SealedWeightsHead.read(sealed)
    assert length + head.segment_bytes(0, head.chunks) == len(sealed)
    assert (head.model, head.wrapped_key) == ("tiny-tensor", b"w")


def test_it_opens_for_the_tenant_and_purpose_of_the_key_entry_only(package: Path) -> None:
    sealed, entry = seal(package).read_bytes(), catalogue_of([package], "models").model[0]
    manifest = (package / "model.toml").read_bytes()
    assert open_first(sealed, KEY, entry).startswith(len(manifest).to_bytes(4, "big") + manifest)
    for other in (
        KeyEntry("models", "model", "other", KEY.arn, KEY.context),
        KeyEntry("models", "request", "acme", KEY.arn, KEY.context),
        KeyEntry("models", "model", "acme", KEY.arn),
        KeyEntry("models", "model", "acme", KEY.arn + "2", KEY.context),
    ):
        with pytest.raises(OpenFailed):
            open_first(sealed, other, entry)


def test_a_file_that_shrinks_after_it_was_checked_is_told(package: Path) -> None:
    def shrink(arn: str, context: dict[str, str]) -> tuple[bytes, bytes]:
        graph = package / "model.onnx"
        graph.write_bytes(graph.read_bytes()[:-7])
        return DATA_KEY, b"w"

    with pytest.raises(PackageInvalid, match=r"model\.onnx: expected 7 more bytes"):
        seal_package(
            package,
            package.parent / "sealed",
            configuration=CONFIGURATION,
            catalogue=catalogue_of([package], "models"),
            make_key=shrink,
        )
    assert list((package.parent / "sealed").iterdir()) == []
