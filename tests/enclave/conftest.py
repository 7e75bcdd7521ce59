"""The tiny packages, built once for the session."""

from pathlib import Path

import pytest

from strongroom.models.tiny import build_tiny_decoder, build_tiny_tensor


@pytest.fixture(scope="session")
def decoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_decoder(tmp_path_factory.mktemp("packages") / "tiny-decoder")


@pytest.fixture(scope="session")
def tensor_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_tensor(tmp_path_factory.mktemp("packages") / "tiny-tensor")
