"""Classifiers under the seal: known answers, receipts, and refusals that look like answers."""

from pathlib import Path

import pytest

from enclave.engine.arrays import to_array
from strongroom.models.tiny_labels import build_tiny_classifier, build_tiny_tagger
from strongroom.protocol.payloads import ClassifyTask, EmbedTask, Failure, Scores, Tags, TagTask, Task
from tests.enclave.caller import Caller, ready

TEXTS = ["Call 555 0100 naïve 😀!", "", "12345", "  two words "]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("packages")
    return [build_tiny_classifier(folder / "classifier"), build_tiny_tagger(folder / "tagger")]


@pytest.fixture
async def caller(packages: list[Path]) -> Caller:
    return await ready(*packages)


@pytest.mark.parametrize("stream", [False, True])
async def test_texts_are_scored(caller: Caller, stream: bool) -> None:
    [event] = (await caller.ask(caller.seal(ClassifyTask(TEXTS), model="tiny-classifier", stream=stream))).events
    assert isinstance(event, Scores)
    scores = to_array(event.scores)
    assert scores.shape == (4, 3)
    assert scores.sum(axis=1) == pytest.approx(1)
    assert scores[1] == pytest.approx(1 / 3)
    assert [event.labels[best] for best in scores.argmax(axis=1)] == ["word", "other", "number", "word"]


@pytest.mark.parametrize("stream", [False, True])
async def test_spans_are_found(caller: Caller, stream: bool) -> None:
    [event] = (await caller.ask(caller.seal(TagTask(TEXTS), model="tiny-tagger", stream=stream))).events
    assert isinstance(event, Tags)
    found = [
        [(span.label, text[span.start : span.end]) for span in spans]
        for text, spans in zip(TEXTS, event.spans, strict=True)
    ]
    assert found == [
        [("word", "Call"), ("number", "555"), ("number", "0100"), ("word", "naïve"), ("word", "😀")],
        [],
        [("number", "12345")],
        [("word", "two"), ("word", "words")],
    ]
    assert {round(span.score, 3) for spans in event.spans for span in spans} == {0.999}


@pytest.mark.parametrize(
    ("task", "model", "code"),
    [
        (ClassifyTask(["x"]), "tiny-tagger", "wrong-task"),
        (TagTask(["x"]), "tiny-classifier", "wrong-task"),
        (EmbedTask(["x"]), "tiny-tagger", "wrong-task"),
        (TagTask(["x" * 511]), "tiny-tagger", "too-long"),
        (TagTask(["a " * 200] * 50), "tiny-tagger", "too-long"),
    ],
    ids=["a tagger", "a classifier", "no embedder", "tokens", "spans"],
)
async def test_refusals_are_answers_of_the_size_of_a_label(caller: Caller, task: Task, model: str, code: str) -> None:
    refused = await caller.ask(caller.seal(task, model=model))
    [event] = refused.events
    assert isinstance(event, Failure)
    assert event.code == code
    answered = await caller.ask(caller.seal(ClassifyTask(["x"]), model="tiny-classifier"))
    assert len(refused.pieces[-1]) == len(answered.pieces[-1])
