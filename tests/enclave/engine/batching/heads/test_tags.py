"""Spans: runs of tokens of one label, by the characters that the tokens stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from enclave.engine.batching.heads.tags import TagHead, own_characters
from enclave.engine.errors import TooLong
from enclave.engine.tokenization import EncodedText
from strongroom.protocol.catalogue import TagSettings
from strongroom.protocol.payloads import MAX_SPANS, Span

BIO = TagSettings(context_tokens=64, labels=["B-P", "I-P", "O", "B-L", "I-L"], scheme="bio", outside="O")
PLAIN = TagSettings(context_tokens=64, labels=["-", "P", "L"], scheme="plain", outside="-")
CERTAIN = 60.0


def text_of(*words: str) -> EncodedText:
    """Words between single spaces, a token each, in a frame."""
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    characters = [(int(end) - len(word), int(end)) for word, end in zip(words, ends, strict=True)]
    return EncodedText(" ".join(words), [0] * (len(words) + 2), [(0, 0), *characters, (0, 0)])


def logits(settings: TagSettings, *labels: str, margin: float = CERTAIN) -> NDArray[np.float32]:
    """Of these labels `margin` more than of the others."""
    rows = [settings.labels.index(label) for label in labels]
    return np.float32(margin) * np.eye(len(settings.labels), dtype=np.float32)[rows]


def tagged(settings: TagSettings, words: str, labels: str) -> list[tuple[str, str]]:
    """The spans, as (label, text), of words with a label each; the frame is labelled as the first label."""
    text = text_of(*words.split())
    frame = settings.labels[0]
    found = TagHead(settings).part(logits(settings, frame, *labels.split(), frame), text)
    assert all(span.score == pytest.approx(1) for span in found)
    return [(span.label, text.text[span.start : span.end]) for span in found]


@pytest.mark.parametrize(
    ("labels", "spans"),
    [
        ("O O O O", []),
        ("B-P I-P O B-L", [("P", "ann lee"), ("L", "rome")]),
        ("B-P B-P O O", [("P", "ann"), ("P", "lee")]),
        ("I-P I-P I-P O", [("P", "ann lee of")]),
        ("B-P I-L I-L O", [("P", "ann"), ("L", "lee of")]),
        ("B-P O I-P O", [("P", "ann"), ("P", "of")]),
        ("B-P I-P I-P I-P", [("P", "ann lee of rome")]),
        ("I-P B-P I-P I-L", [("P", "ann"), ("P", "lee of"), ("L", "rome")]),
    ],
)
def test_bio_labels_become_spans(labels: str, spans: list[tuple[str, str]]) -> None:
    assert tagged(BIO, "ann lee of rome", labels) == spans


@pytest.mark.parametrize(
    ("labels", "spans"),
    [
        ("P P - L", [("P", "ann lee"), ("L", "rome")]),
        ("P L P P", [("P", "ann"), ("L", "lee"), ("P", "of rome")]),
    ],
)
def test_plain_labels_become_spans(labels: str, spans: list[tuple[str, str]]) -> None:
    assert tagged(PLAIN, "ann lee of rome", labels) == spans


def test_the_score_is_the_mean_of_the_tokens_softmax() -> None:
    sure, unsure = logits(PLAIN, "P", margin=3.0), logits(PLAIN, "P", margin=0.5)
    frame = logits(PLAIN, "-")
    [span] = TagHead(PLAIN).part(np.concatenate([frame, sure, unsure, frame]), text_of("ann", "lee"))
    score = [np.exp(margin) / (np.exp(margin) + 2) for margin in (3.0, 0.5)]
    assert (span.start, span.end, span.label) == (0, 7, "P")
    assert span.score == pytest.approx(sum(score) / 2)


def test_of_equal_logits_the_first_label_counts() -> None:
    [span] = TagHead(BIO).part(np.zeros((3, 5), dtype=np.float32), text_of("ann"))
    assert span.label == "P"
    assert span.score == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("text", "characters", "own"),
    [
        ("ab cd", [(0, 0), (0, 2), (3, 5), (0, 0)], [(1, 0, 2), (2, 3, 5)]),
        ("\U0001f600b", [(0, 1), (0, 1), (0, 1), (0, 1), (1, 2)], [(0, 0, 1), (4, 1, 2)]),
        ("abc", [(0, 2), (1, 3)], [(0, 0, 2), (1, 2, 3)]),
        ("abc", [(0, 3), (1, 2)], [(0, 0, 3)]),
        ("", [], []),
    ],
    ids=["frame", "emoji", "overlap", "inside", "empty"],
)
def test_each_token_has_characters_of_its_own(
    text: str, characters: list[tuple[int, int]], own: list[tuple[int, int, int]]
) -> None:
    assert list(own_characters(EncodedText(text, [], characters))) == own


@pytest.mark.parametrize(
    ("text", "characters", "labels", "spans"),
    [
        ("ann lee", [(0, 3), (3, 7)], "B-P I-P", [(0, 7)]),
        ("ann lee", [(0, 3), (3, 7)], "O I-P", [(4, 7)]),
        ("ann  lee", [(0, 3), (3, 5), (5, 8)], "B-P O I-P", [(0, 3), (5, 8)]),
        ("ann  lee", [(0, 3), (3, 5), (5, 8)], "B-P I-P I-P", [(0, 8)]),
        ("ann  lee", [(0, 3), (3, 5), (5, 8)], "B-P B-L B-P", [(0, 3), (5, 8)]),
        ("\tann\u3000", [(0, 5)], "B-P", [(1, 4)]),
        ("a \u3000\n", [(0, 1), (1, 4)], "O B-P", []),
    ],
)
def test_spans_have_no_white_space_at_their_ends(
    text: str, characters: list[tuple[int, int]], labels: str, spans: list[tuple[int, int]]
) -> None:
    numbers = logits(BIO, *labels.split())
    found = TagHead(BIO).part(numbers, EncodedText(text, [0] * len(numbers), characters))
    assert [(span.start, span.end) for span in found] == spans


@given(st.text(max_size=20), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=20), st.data())
def test_spans_are_in_order_and_share_no_character(
    text: str, characters: list[tuple[int, int]], data: st.DataObject
) -> None:
    labels = data.draw(st.lists(st.sampled_from(BIO.labels), min_size=len(characters), max_size=len(characters)))
    spans = TagHead(BIO).part(logits(BIO, *labels), EncodedText(text, [0] * len(labels), characters))
    ends = [0]
    for span in spans:
        assert ends[-1] <= span.start < span.end <= len(text)
        assert 0 <= span.score <= 1
        ends.append(span.end)


def test_more_spans_than_an_answer_holds_are_refused() -> None:
    head = TagHead(BIO)
    one = [Span(0, 1, "P", 1.0)]
    assert sum(map(len, head.event([one] * MAX_SPANS).spans)) == MAX_SPANS
    with pytest.raises(TooLong, match=f"at most {MAX_SPANS} spans"):
        head.event([one] * (MAX_SPANS + 1))
