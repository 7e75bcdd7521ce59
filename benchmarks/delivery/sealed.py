"""A model of random bytes, sealed as `strongroom model seal` does it."""

from __future__ import annotations

import secrets
from pathlib import Path

from strongroom.models.package import write_package
from strongroom.models.seal import catalogue_of, seal_package
from strongroom.protocol.catalogue import CatalogueEntry, ModelManifest
from strongroom.protocol.configuration import DeploymentConfiguration, KeyEntry, KMSSettings

MODEL = "random"
ARN = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
_KEY = KeyEntry(id="models", purpose="model", tenant="benchmark", arn=ARN)
_CONFIGURATION = DeploymentConfiguration(
    version=1,
    deployment="benchmark",
    description="",
    kms=KMSSettings(runtime_role="arn:aws:iam::000000000000:role/parent"),
    key=[_KEY],
)
CONTEXT = _KEY.fixed_context | {"model": MODEL, "version": "1"}


def make(folder: Path, size_mib: int) -> bytes:
    """Write package and sealed model into `folder`; the data key."""
    manifest = ModelManifest(
        id=MODEL, version="1", task="infer", licence="none", source="random bytes", graph="graph", files=[]
    )
    package = write_package(folder / "package", manifest, {"graph": secrets.token_bytes(size_mib << 20)})
    data_key = secrets.token_bytes(32)
    seal_package(
        package,
        folder,
        configuration=_CONFIGURATION,
        catalogue=catalogue_of([package], _KEY.id),
        make_key=lambda arn, context: (data_key, b"wrapped"),
    )
    return data_key


def entry_of(folder: Path) -> CatalogueEntry:
    """The catalogue's entry of the package in `folder`."""
    return catalogue_of([folder / "package"], _KEY.id).model[0]
