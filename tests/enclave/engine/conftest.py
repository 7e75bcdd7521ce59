"""The tiny packages, built once."""

from collections.abc import Iterator

import pytest

from enclave.engine.capacity import Capacity
from enclave.engine.engine import Engine
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder, build_tiny_tensor
from tests.enclave.engine.packages import Package


@pytest.fixture(scope="session")
def decoder_package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """Its stop token is one that greedy answers do not meet: they end where a test says."""
    package = Package.from_directory(build_tiny_decoder(tmp_path_factory.mktemp("decoder")))
    return package.with_chat(stop_tokens=[200])


@pytest.fixture(scope="session")
def encoder_package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package.from_directory(build_tiny_encoder(tmp_path_factory.mktemp("encoder")))


@pytest.fixture(scope="session")
def tensor_package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package.from_directory(build_tiny_tensor(tmp_path_factory.mktemp("tensor")))


@pytest.fixture
def engine(decoder_package: Package, encoder_package: Package, tensor_package: Package) -> Iterator[Engine]:
    engine = Engine(Capacity(threads=1, max_queued=2))
    for package in (decoder_package, encoder_package, tensor_package):
        engine.load(package.manifest, package.files)
    yield engine
    engine.close()
