import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from strongroom.models.errors import PackageInvalid
from strongroom.models.package import load_package
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder, build_tiny_tensor
from strongroom.models.weights import random_weights
from tests.models.running import open_session

Builder = Callable[[Path, int], Path]
BUILDERS: list[Builder] = [build_tiny_decoder, build_tiny_encoder, build_tiny_tensor]

IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from strongroom.models.tiny import build_tiny_decoder
build_tiny_decoder(Path(sys.argv[1]))
heavy = {"onnxruntime", "torch", "transformers", "aiohttp", "boto3", "enclave.engine.engine", "parent"}
heavy.add("strongroom.client")
print(sorted(heavy & sys.modules.keys()))
"""


def digests(package: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in package.iterdir()}


@pytest.mark.parametrize("builder", BUILDERS)
def test_an_occupied_directory_is_refused(builder: Builder, tmp_path: Path) -> None:
    builder(tmp_path / "package", 0)
    with pytest.raises(PackageInvalid):
        builder(tmp_path / "package", 0)


@pytest.mark.parametrize("builder", BUILDERS)
def test_packages_are_identical_for_one_seed_and_differ_for_two(builder: Builder, tmp_path: Path) -> None:
    first, again, other = (digests(builder(tmp_path / name, seed)) for name, seed in (("a", 7), ("b", 7), ("c", 8)))
    assert first == again
    assert first["model.onnx"] != other["model.onnx"]


def test_another_process_makes_the_same_bytes_and_loads_no_runtime(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / "there")]
    result = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "42"}, capture_output=True, check=True)
    assert result.stdout.decode().strip() == "[]"
    assert digests(tmp_path / "there") == digests(build_tiny_decoder(tmp_path / "here"))


@pytest.mark.parametrize(
    ("builder", "model_id", "task"),
    [
        (build_tiny_decoder, "tiny-decoder", "chat"),
        (build_tiny_encoder, "tiny-encoder", "embed"),
        (build_tiny_tensor, "tiny-tensor", "infer"),
    ],
)
def test_manifests_say_who_they_are(builder: Builder, model_id: str, task: str, tmp_path: Path) -> None:
    _, manifest, files = load_package(builder(tmp_path / "package", 3))
    assert (manifest.id, manifest.version, manifest.task) == (model_id, "1", task)
    assert manifest.source == "strongroom.models.tiny, seed 3"
    assert set(files) == {path.name for path in (tmp_path / "package").iterdir()} - {"model.toml"}


def test_the_tensor_model_multiplies(tmp_path: Path) -> None:
    session = open_session(build_tiny_tensor(tmp_path / "package", seed=5) / "model.onnx")
    weights = random_weights({"w": (4, 3), "bias": (3,)}, seed=5)
    x = np.arange(20, dtype=np.float32).reshape(5, 4)
    (y,) = session.run(None, {"x": x})
    np.testing.assert_allclose(y, x @ weights["w"] + weights["bias"], rtol=1e-5, atol=1e-5)
