"""The tiny packages, built once for the session."""

import os
from pathlib import Path

import pytest

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before anything that may import onnxruntime

from strongroom.models.tiny import build_tiny_decoder, build_tiny_tensor


@pytest.fixture(scope="session")
def decoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_decoder(tmp_path_factory.mktemp("packages") / "tiny-decoder")


@pytest.fixture(scope="session")
def tensor_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_tensor(tmp_path_factory.mktemp("packages") / "tiny-tensor")
