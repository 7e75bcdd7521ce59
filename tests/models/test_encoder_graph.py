"""The encoder graph, in onnxruntime, against itself and against an independent implementation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from strongroom.models.encoder import EncoderShape
from strongroom.models.tiny import build_tiny_encoder
from strongroom.models.weights import random_weights
from tests.models.numpy_encoder import encode
from tests.models.running import FloatArray, open_session

IDS = [1, 70, 5, 200, 70, 33, 2]
SHAPE = EncoderShape(
    layers=2,
    heads=2,
    hidden=32,
    feed_forward=64,
    vocabulary=259,
    positions=128,
    context_tokens=128,
    norm_epsilon=1e-12,
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_encoder(tmp_path_factory.mktemp("encoder"), seed=4)


@pytest.fixture(scope="module")
def session(package: Path) -> Any:
    return open_session(package / "model.onnx")


def run(session: Any, ids: list[list[int]], mask: list[list[int]]) -> FloatArray:
    tokens = np.array(ids, dtype=np.int64)
    feeds = {"input_ids": tokens, "attention_mask": np.array(mask), "token_type_ids": np.zeros_like(tokens)}
    state: FloatArray = session.run(["last_hidden_state"], feeds)[0]
    return state


def test_more_tokens_than_positions_are_an_error(session: Any) -> None:
    with pytest.raises(Exception, match=r"Add|broadcast"):
        run(session, [[5] * 129], [[1] * 129])


def test_the_graph_computes_a_bert(session: Any) -> None:
    expected = encode(random_weights(SHAPE.weight_shapes(), seed=4), IDS, SHAPE.heads, SHAPE.norm_epsilon)
    np.testing.assert_allclose(run(session, [IDS], [[1] * 7])[0], expected, atol=1e-5)


def test_padding_does_not_change_a_text(session: Any) -> None:
    alone = run(session, [IDS[:3]], [[1] * 3])[0]
    together = run(session, [IDS, IDS[:3] + [0] * 4], [[1] * 7, [1] * 3 + [0] * 4])
    np.testing.assert_allclose(together[1, :3], alone, atol=1e-5)


def test_a_row_of_padding_stays_finite(session: Any) -> None:
    assert np.isfinite(run(session, [IDS, [0] * 7], [[1] * 7, [0] * 7])).all()


def test_token_types_count(session: Any) -> None:
    tokens = np.array([IDS], dtype=np.int64)
    feeds = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
    zero = session.run(None, feeds | {"token_type_ids": np.zeros_like(tokens)})[0]
    one = session.run(None, feeds | {"token_type_ids": np.ones_like(tokens)})[0]
    assert np.abs(zero - one).max() > 1e-2


def test_its_tokenizer_frames_even_an_empty_text(package: Path) -> None:
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    assert tokenizer.encode("").tokens == ["[CLS]", "[SEP]"]
    assert tokenizer.decode(tokenizer.encode("naïve 🙂").ids) == "naïve 🙂"
