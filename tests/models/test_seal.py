"""Sealing a package: under a data key of the right length or not at all."""

from pathlib import Path

import pytest

from strongroom.models.seal import catalogue_of, seal_package
from strongroom.models.tiny import build_tiny_tensor
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings
from strongroom.protocol.errors import InvalidDocument

CONFIGURATION = DeploymentConfiguration(
    version=1,
    deployment="acme",
    description="",
    kms=KMSSettings("arn:aws:iam::111122223333:role/parent"),
    key=[KeyEntry("models", "model", "acme", "arn:aws:kms:eu-west-1:111122223333:key/1")],
)


@pytest.mark.parametrize(
    ("data_key", "wrapped"), [(b"", b"w"), (bytes(16), b"w"), (bytes(33), b"w"), (bytes(32), b""), (bytes(32), b"w")]
)
def test_the_data_key_has_its_length(data_key: bytes, wrapped: bytes, tmp_path: Path) -> None:
    package = build_tiny_tensor(tmp_path / "tiny")
    catalogue = catalogue_of([package], "models")

    def seal() -> Path:
        return seal_package(
            package,
            tmp_path / "sealed",
            configuration=CONFIGURATION,
            catalogue=catalogue,
            make_key=lambda arn, context: (data_key, wrapped),
        )

    if (len(data_key), wrapped) == (32, b"w"):
        assert seal().is_file()
        return
    with pytest.raises(InvalidDocument, match="32 bytes"):
        seal()
    assert not (tmp_path / "sealed").exists()
