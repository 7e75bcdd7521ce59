"""Classifiers of texts and of tokens, as Optimum exports them: whatever shares the batch, and whatever goes wrong."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from enclave.engine.arrays import to_array
from enclave.engine.batching.encoder import Encoder
from enclave.engine.batching.runner import BatchRunner
from enclave.engine.errors import InferenceFailed, ModelRejected, TooLong, WrongTask
from strongroom.protocol.catalogue import ClassifySettings
from strongroom.protocol.payloads import ClassifyTask, EmbedTask, Event, Scores, Span, Tags, TagTask, Task
from tests.enclave.engine.batching.optimum_graphs import (
    CLASSIFY,
    IDS,
    SAMPLED,
    TAG,
    Settings,
    embeddings,
    first_text_only,
    packaged,
    text_classifier,
    token_classifier,
)
from tests.enclave.engine.packages import Package, collect

TEXTS = st.lists(st.text(max_size=15), min_size=1, max_size=8)  # of at most 4 bytes each, which are the tokens
UNSEEN = min(set(range(3, IDS)) - SAMPLED)


def load(package: Package, settings: Settings, graph: bytes | None = None) -> Encoder[Any]:
    made = packaged(package, settings, graph)
    return Encoder.load(made.manifest, made.files, threads=2)


@pytest.fixture(scope="session")
def classifier(encoder_package: Package) -> Encoder[Any]:
    return load(encoder_package, CLASSIFY)


@pytest.fixture(scope="session")
def tagger(encoder_package: Package) -> Encoder[Any]:
    return load(encoder_package, TAG)


def parts(encoder: Encoder[Any], texts: Sequence[str]) -> list[Any]:
    """In one batch."""
    return encoder.run([encoder.encode(index, text) for index, text in enumerate(texts)], alone=False)


def alone(encoder: Encoder[Any], text: str) -> Any:
    [part] = parts(encoder, [text])
    return part


def assert_equal(found: list[Span], expected: list[Span]) -> None:
    assert [structs.replace(span, score=0.0) for span in found] == [
        structs.replace(span, score=0.0) for span in expected
    ]
    assert [span.score for span in found] == pytest.approx([span.score for span in expected], abs=1e-6)


async def ask(runner: BatchRunner[Any], task: Task) -> Event:
    async with asyncio.timeout(20), aclosing(runner.run(task)) as events:
        [event] = [event async for event in events]
    return event


@given(TEXTS)
def test_company_changes_no_score(classifier: Encoder[Any], texts: list[str]) -> None:
    for text, scores in zip(texts, parts(classifier, texts), strict=True):
        assert scores == pytest.approx(alone(classifier, text), abs=1e-6)


@given(TEXTS)
def test_company_changes_no_span(tagger: Encoder[Any], texts: list[str]) -> None:
    for text, spans in zip(texts, parts(tagger, texts), strict=True):
        assert_equal(spans, alone(tagger, text))


async def test_many_callers_get_the_scores_they_get_alone(classifier: Encoder[Any]) -> None:
    runner = BatchRunner(classifier, workers=2)
    asked = [[str(number) * (1 + number % 20), "x" * (number % 60)] for number in range(60)]
    answers = await asyncio.gather(*(ask(runner, ClassifyTask(texts)) for texts in asked))
    runner.close()
    for texts, answer in zip(asked, answers, strict=True):
        assert isinstance(answer, Scores)
        assert answer.labels == CLASSIFY.labels
        assert to_array(answer.scores) == pytest.approx(np.stack([alone(classifier, text) for text in texts]), abs=1e-6)


async def test_many_callers_get_the_spans_they_get_alone(tagger: Encoder[Any]) -> None:
    runner = BatchRunner(tagger, workers=2)
    asked = [[chr(97 + number % 26) * 3 + " " + str(number) * (number % 20)] * 2 for number in range(60)]
    answers = await asyncio.gather(*(ask(runner, TagTask(texts)) for texts in asked))
    runner.close()
    assert any(spans for answer in answers if isinstance(answer, Tags) for spans in answer.spans)
    for texts, answer in zip(asked, answers, strict=True):
        assert isinstance(answer, Tags)
        for text, spans in zip(texts, answer.spans, strict=True):
            assert_equal(spans, alone(tagger, text))


def test_neither_the_frame_nor_padding_is_in_a_span(encoder_package: Package) -> None:
    """All tokens have one label here, those of the frame too."""
    settings = structs.replace(TAG, scheme="plain", labels=["X", "Y", "O"])
    tagger = load(encoder_package, settings, token_classifier(labels=3, table=np.zeros_like(embeddings())))
    found = parts(tagger, ["ab", "", "abcdefgh"])
    assert [[(span.start, span.end) for span in spans] for spans in found] == [[(0, 2)], [], [(0, 8)]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("settings", "graph"), [(CLASSIFY, text_classifier), (TAG, token_classifier)], ids=["c", "t"])
def test_numbers_that_are_none_fail_their_text_alone(
    encoder_package: Package, settings: Settings, graph: Any, bad: float
) -> None:
    table = embeddings()
    table[UNSEEN] = bad
    encoder = load(encoder_package, settings, graph(table=table))
    broken = next(chr(code) for code in range(33, 127) if UNSEEN in encoder.encode(0, chr(code)).tokens)
    first, failed, last = parts(encoder, ["aa", f"a{broken}", "bbb"])
    assert isinstance(failed, InferenceFailed)
    assert broken not in str(failed)
    assert not isinstance(first, InferenceFailed)
    assert not isinstance(last, InferenceFailed)


def test_a_graph_whose_numbers_are_none_is_rejected(encoder_package: Package) -> None:
    with pytest.raises(ModelRejected, match="finite"):
        load(encoder_package, CLASSIFY, text_classifier(table=np.full_like(embeddings(), np.nan)))


def test_a_graph_that_answers_for_the_first_text_only_is_rejected(encoder_package: Package) -> None:
    with pytest.raises(ModelRejected):
        load(encoder_package, CLASSIFY, first_text_only())


@pytest.mark.parametrize(
    ("settings", "graph"),
    [
        (CLASSIFY, text_classifier(labels=2)),
        (CLASSIFY, token_classifier(labels=3)),
        (TAG, token_classifier(labels=4)),
        (TAG, text_classifier(labels=5)),
    ],
    ids=["labels", "tokens", "labels of tokens", "texts"],
)
def test_settings_that_do_not_fit_the_graph_are_rejected(
    encoder_package: Package, settings: Settings, graph: bytes
) -> None:
    with pytest.raises(ModelRejected):
        load(encoder_package, settings, graph)


def test_a_tokenizer_of_another_model_is_rejected(encoder_package: Package) -> None:
    with pytest.raises(ModelRejected, match=f"all {IDS} "):
        load(encoder_package, TAG, token_classifier(table=embeddings()[:-1]))


@pytest.mark.parametrize("settings", [CLASSIFY, TAG], ids=["classify", "tag"])
async def test_other_tasks_and_long_texts_are_refused(encoder_package: Package, settings: Settings) -> None:
    runner = BatchRunner(load(encoder_package, settings), workers=1)
    own, name = (ClassifyTask, "classify") if isinstance(settings, ClassifySettings) else (TagTask, "tag")
    with pytest.raises(WrongTask, match=f"takes {name} tasks only"):
        await collect(runner.run(EmbedTask(["x"])))
    with pytest.raises(TooLong, match="text 1: expected at most 64 tokens, got 65"):
        await collect(runner.run(own(["x", "x" * 63])))
    runner.close()
