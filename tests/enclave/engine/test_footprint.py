"""The estimate of a model's memory against what the kernel counts, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from enclave.engine.capacity import Capacity
from enclave.engine.footprint import Footprint, footprint
from strongroom.models.assemble import Identity, write_encoder, write_tensor_model
from strongroom.models.encoder import Encoder, EncoderShape
from strongroom.models.package import load_package
from strongroom.models.tiny import build_tiny_decoder, build_tiny_encoder, build_tiny_tensor
from strongroom.models.weights import random_weights
from tests.enclave.engine.graphs import model, node, port, weight
from tests.enclave.engine.packages import Package
from tests.real_models import real_model

CAPACITY = Capacity()
LIBRARIES_BYTES = 24 << 20
"""What stays after the first model: code of onnxruntime and tokenizers on its first use, and their threads.

Seen were 14 to 16 MiB, by where the allocator's holes are; the smallest model that could stay would be 90 MiB more.
"""


def measured(package: Path) -> tuple[dict[str, int], Footprint]:
    """What the kernel counts, and the estimate."""
    _, manifest, _ = load_package(package)
    command = [sys.executable, "-m", "tests.enclave.engine.measured", str(package)]
    environment = {"ORT_DISABLE_TELEMETRY": "1"}
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True, env=environment, cwd=root)
    return json.loads(done.stdout), footprint(manifest, CAPACITY)


def test_the_tiny_models_take_no_more_than_is_expected(tmp_path: Path) -> None:
    builds: list[Callable[[Path], Path]] = [build_tiny_decoder, build_tiny_encoder, build_tiny_tensor]
    for build in builds:
        counted, expected = measured(build(tmp_path / build.__name__))
        assert counted["resident"] <= expected.resident_bytes
        assert counted["left"] <= LIBRARIES_BYTES


def test_a_tensor_model_takes_its_files_twice_and_a_process_and_no_more(tmp_path: Path) -> None:
    """Its weights are here, to start a process anew, and in its process."""
    weights_bytes = 64 << 20
    weights = np.random.default_rng(0).standard_normal(weights_bytes // 4).astype(np.float32)
    items = [weights.size]
    graph = model(
        [node("Add", ["x", "w"], ["y"])], [port("x", "float32", items)], [port("y", "float32", items)],
        [weight("w", weights)],
    )  # fmt: skip
    package = write_tensor_model(tmp_path / "wide", graph, Identity("wide", "none", "random"))
    counted, expected = measured(package)
    assert 2 * weights_bytes <= counted["resident"] <= expected.resident_bytes <= 2.5 * counted["resident"]
    assert 3 * weights_bytes <= counted["peak"] <= expected.loading_bytes
    assert counted["left"] <= LIBRARIES_BYTES


def test_the_longest_texts_take_no_more_than_is_expected(tmp_path: Path, encoder_package: Package) -> None:
    """Attention's scores are nearly all of it: of two texts 128 MiB, twice."""
    shape = EncoderShape(
        layers=1,
        heads=16,
        hidden=32,
        feed_forward=64,
        vocabulary=259,
        positions=1024,
        context_tokens=1024,
        norm_epsilon=1e-12,
    )
    encoder = Encoder(shape, random_weights(shape.weight_shapes(), 0), encoder_package.tokenizer)
    counted, expected = measured(write_encoder(tmp_path / "long", encoder, Identity("long", "none", "random")))
    assert 256 << 20 <= counted["peak"] <= expected.loading_bytes


@pytest.mark.real_model
@pytest.mark.parametrize("name", ["minilm-l6", "smollm2-135m"])
def test_a_real_model_takes_what_is_expected_and_gives_it_back(name: str) -> None:
    counted, expected = measured(real_model(name))
    assert counted["resident"] <= expected.resident_bytes <= 2.5 * counted["resident"]
    assert counted["peak"] <= expected.loading_bytes <= 2.5 * counted["peak"]
    assert counted["left"] <= LIBRARIES_BYTES
