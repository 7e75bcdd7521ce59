"""What a receipt commits to: content, however it was cut; and where in an answer the receipt stands."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.protocol import canonical
from strongroom.protocol.constants import MAX_RECEIPT_BYTES
from strongroom.protocol.contents import join_text, request_content, response_content, split_receipt
from strongroom.protocol.errors import Malformed
from strongroom.protocol.events import decode_events, encode_events
from strongroom.protocol.padding import ANSWER_BUCKET_BYTES, padded_size
from strongroom.protocol.payloads import (
    Description,
    Embeddings,
    Event,
    Failure,
    GenerationEnd,
    Outputs,
    Receipt,
    Scores,
    Span,
    Tags,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.tensors import Port, Tensor
from tests.protocol.sealed import LIVE, TASK

END = GenerationEnd("stop", 3, 2)
FAILURE = Failure("expired", "Seal it again.")
VECTORS = Embeddings(Tensor("float32", [1, 1], b"\0\0\0\0"), 3)
OUTPUTS = Outputs({"y": Tensor("uint8", [1], b"\1")})
SCORES = Scores(["good", "bad"], Tensor("float32", [1, 2], bytes(8)))
TAGS = Tags([[Span(0, 1, "place", 0.5)]])
DESCRIPTION = Description("1", "infer", [Port("x", "float32", ["n", 4])], [Port("y", "float32", ["n", 3])])
RECEIPT = Receipt(b"receipt")


def test_the_content_of_a_request_is_its_task_as_it_stands_in_the_body() -> None:
    content = request_content(TASK)
    assert content in canonical.encode(LIVE)
    assert cbor2.loads(content)["messages"] == [{"role": "user", "content": "CANARY"}]


@given(st.text(), st.data())
def test_however_an_answer_was_cut_its_content_is_one(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    streamed: list[Event] = [*(TextDelta(piece) for piece in pieces), END, RECEIPT]
    whole: list[Event] = [TextDelta(text), END] if text else [END]
    assert response_content(streamed) == response_content(whole) == canonical.encode(whole)
    assert split_receipt(streamed) == (whole, b"receipt")


@pytest.mark.parametrize(
    "answers",
    [([END], [GenerationEnd("length", 3, 2)]), ([TextDelta("a"), END], [TextDelta("b"), END]), ([FAILURE], [END])],
    ids=["end", "text", "failure"],
)
def test_another_answer_has_another_content(answers: tuple[list[Event], list[Event]]) -> None:
    assert response_content(answers[0]) != response_content(answers[1])


def test_text_is_joined_in_its_order() -> None:
    assert join_text([TextDelta("a"), TextDelta(""), TextDelta("b"), END]) == [TextDelta("ab"), END]
    assert join_text([TextDelta(""), END]) == [END]


def test_what_is_told_of_the_tokens_is_joined_too() -> None:
    euro = [TokenLogprob(byte, -1.0, []) for byte in (b"\xe2\x82", b"\xac")]
    streamed: list[Event] = [TextDelta("", euro[:1]), TextDelta("€", euro[1:]), TextDelta("!"), END]
    assert join_text(streamed) == [TextDelta("€!", euro), END]
    assert join_text([TextDelta("", euro[:1]), END]) == [TextDelta("", euro[:1]), END]
    assert response_content(streamed) != response_content([TextDelta("€!"), END])


@pytest.mark.parametrize("end", [END, FAILURE, VECTORS, SCORES, TAGS, OUTPUTS, DESCRIPTION])
def test_the_receipt_is_the_last_event(end: Event) -> None:
    assert split_receipt([end, RECEIPT]) == ([end], b"receipt")
    assert split_receipt([TextDelta("a"), end, RECEIPT]) == ([TextDelta("a"), end], b"receipt")


BAD: dict[str, list[Event]] = {
    "nothing": [],
    "no receipt": [TextDelta("a"), END],
    "a receipt alone": [RECEIPT],
    "no end": [TextDelta("a"), RECEIPT],
    "two receipts": [END, RECEIPT, RECEIPT],
    "a receipt before the end": [RECEIPT, END],
    "a receipt among the text": [TextDelta("a"), RECEIPT, END, RECEIPT],
    "two ends": [END, END, RECEIPT],
    "text behind the end": [END, TextDelta("a"), RECEIPT],
    "an event behind the receipt": [END, RECEIPT, TextDelta("a")],
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_of_another_order_is_malformed(name: str) -> None:
    with pytest.raises(Malformed):
        split_receipt(BAD[name])


@pytest.mark.parametrize("size", [0, MAX_RECEIPT_BYTES + 1])
def test_a_receipt_is_bounded(size: int) -> None:
    assert decode_events(encode_events([Receipt(bytes(MAX_RECEIPT_BYTES))])) == [Receipt(bytes(MAX_RECEIPT_BYTES))]
    with pytest.raises(Malformed):
        decode_events(encode_events([Receipt(bytes(size))]))


def test_refusals_and_small_answers_fall_into_one_bucket() -> None:
    receipt = Receipt(bytes(900))
    longest = Failure("invalid-tensor", "x" * 512, "m" * 64)
    answers: list[list[Event]] = [
        [longest],
        [FAILURE],
        [END],
        [VECTORS],
        [SCORES],
        [TAGS],
        [OUTPUTS],
        [DESCRIPTION],
        [TextDelta("yes"), END],
    ]
    sizes = {padded_size(len(encode_events([*answer, receipt])), ANSWER_BUCKET_BYTES) for answer in answers}
    assert sizes == {ANSWER_BUCKET_BYTES}
