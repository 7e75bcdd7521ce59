"""The tiny model, loaded once: every test leaves it clean."""

from collections.abc import Iterator

import pytest

from enclave.engine.generation.model import LanguageModel
from tests.enclave.engine.generation.harness import assert_clean, load
from tests.enclave.engine.packages import Package


@pytest.fixture(scope="session")
def loaded(decoder_package: Package) -> LanguageModel:
    return load(decoder_package)


@pytest.fixture
def model(loaded: LanguageModel) -> Iterator[LanguageModel]:
    yield loaded
    assert_clean(loaded.graph)
