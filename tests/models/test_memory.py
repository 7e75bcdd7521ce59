"""What models take of an enclave's memory, together and alone."""

from pathlib import Path

import pytest

from enclave.engine.capacity import Capacity
from enclave.engine.footprint import footprint
from strongroom.models.errors import PackageInvalid
from strongroom.models.memory import memory_of_all, require_each_fits
from strongroom.models.package import MANIFEST
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder
from strongroom.protocol.catalogue import ModelManifest


@pytest.fixture
def manifests(tmp_path: Path) -> list[ModelManifest]:
    packages = [build_tiny_decoder(tmp_path / "d"), build_tiny_encoder(tmp_path / "e")]
    return [ModelManifest.from_bytes((package / MANIFEST).read_bytes()) for package in packages]


def test_all_are_loaded_while_the_dearest_is_on_its_way(manifests: list[ModelManifest]) -> None:
    one, other = (footprint(manifest, Capacity()) for manifest in manifests)
    assert memory_of_all([]) == 0
    assert memory_of_all(manifests[:1]) == one.loading_bytes
    expected = max(one.loading_bytes + other.resident_bytes, one.resident_bytes + other.loading_bytes)
    assert memory_of_all(manifests) == memory_of_all(manifests[::-1]) == expected


def test_each_must_fit_alone(manifests: list[ModelManifest]) -> None:
    needed_bytes = max(memory_of_all([manifest]) for manifest in manifests)
    require_each_fits(manifests, needed_bytes)
    with pytest.raises(PackageInvalid, match="model_memory_mib"):
        require_each_fits(manifests, needed_bytes - 1)
