"""The tiny classifier and tagger: the same bytes every time, and logits that follow from the text's bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from strongroom.models.package import load_package
from strongroom.models.tiny_labels import build_tiny_classifier, build_tiny_tagger
from tests.models.running import FloatArray, open_session

Builder = Callable[[Path], Path]


def run(package: Path, *texts: str) -> FloatArray:
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    tokens = [tokenizer.encode(text).ids for text in texts]
    longest = max(map(len, tokens))
    ids = np.array([each + [0] * (longest - len(each)) for each in tokens])
    mask = np.array([[1] * len(each) + [0] * (longest - len(each)) for each in tokens])
    logits: FloatArray = open_session(package / "model.onnx").run(None, {"input_ids": ids, "attention_mask": mask})[0]
    return logits


@pytest.mark.parametrize(
    ("builder", "model_id", "task"),
    [(build_tiny_classifier, "tiny-classifier", "classify"), (build_tiny_tagger, "tiny-tagger", "tag")],
)
def test_packages_are_the_same_every_time(builder: Builder, model_id: str, task: str, tmp_path: Path) -> None:
    text, manifest, files = load_package(builder(tmp_path / "a"))
    assert (manifest.id, manifest.task) == (model_id, task)
    again, _, files_again = load_package(builder(tmp_path / "b"))
    assert text == again
    assert {name: path.read_bytes() for name, path in files.items()} == {
        name: path.read_bytes() for name, path in files_again.items()
    }


def test_the_taggers_logits_say_what_each_byte_is(tmp_path: Path) -> None:
    labels = ["other", "number", "word"]
    [logits] = run(build_tiny_tagger(tmp_path / "t"), "a7 \n\x7f!é")
    names = [labels[best] for best in logits.argmax(axis=-1)]
    assert names == ["other", "word", "number", "other", "other", "other", "other", "word", "word", "other"]


def test_the_classifiers_logits_are_means_without_padding(tmp_path: Path) -> None:
    logits = run(build_tiny_classifier(tmp_path / "c"), "ab", "ab7!!!", "")
    assert logits[0] == pytest.approx([0, 0, 8 * 2 / 4])
    assert logits[1] == pytest.approx([8 * 3 / 8, 8 * 1 / 8, 8 * 2 / 8])
    assert logits[2] == pytest.approx([0, 0, 0])
