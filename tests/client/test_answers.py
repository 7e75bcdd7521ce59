"""Answers: only the events of the task asked for, in their order, make one."""

import pytest

from attestation.policy import UnsafeAnyMeasurement
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import verify_receipt
from strongroom.client.collecting import (
    TextCollector,
    description_of,
    scores_of,
    spans_of,
    tensors_of,
    text_of,
    vectors_of,
)
from strongroom.client.errors import AnswerTruncated, SealBroken
from strongroom.client.proofs import Proof
from strongroom.protocol.payloads import (
    Alternative,
    Embeddings,
    Event,
    GenerationEnd,
    Outputs,
    Scores,
    Span,
    Tags,
    TextDelta,
    TokenLogprob,
)
from strongroom.protocol.tensors import Tensor
from tests.attestation import issuing
from tests.client.fake_enclave import DESCRIPTION

END = GenerationEnd("length", 1, 2)
VECTORS = Embeddings(Tensor("float32", [2, 1], bytes.fromhex("0000803f00000040")), 5)
SCORES = Scores(["a", "b"], Tensor("float32", [2, 2], bytes.fromhex("000000000000803f0000004000000000")))
OUTPUTS = Outputs({"y": Tensor("int8", [1], b"1")})


def proof() -> Proof:
    """Some proof: what these events add up to is not its business."""
    enclave = issuing.Enclave()
    issued = enclave.issue()
    return Proof(
        issued.receipt,
        verify_receipt(issued.receipt, enclave.verified()),
        enclave.evidence,
        Opening(issued.salts.request, issuing.REQUEST),
        Opening(issued.salts.response, issuing.RESPONSE),
        issued.salts.leaf,
        UnsafeAnyMeasurement(),
    )


@pytest.mark.parametrize("events", [[END, END], [END, TextDelta("x")], [VECTORS], [SCORES], [TextDelta("x"), OUTPUTS]])
def test_events_that_are_no_text(events: list[Event]) -> None:
    with pytest.raises(SealBroken, match="expected the events"):
        text_of(events, proof())


@pytest.mark.parametrize("events", [[], [TextDelta("x")]])
def test_text_without_an_end(events: list[Event]) -> None:
    with pytest.raises(AnswerTruncated):
        text_of(events, proof())


def test_text_and_what_is_told_of_its_tokens() -> None:
    euro = [TokenLogprob(byte, -0.5, [Alternative(b"b", -1.0)]) for byte in (b"\xe2\x82", b"\xac")]
    deltas = [TextDelta("a"), TextDelta("", euro[:1]), TextDelta("€", euro[1:])]
    answer = text_of([*deltas, END], proof())
    assert (answer.text, answer.finish) == ("a€", "length")
    assert answer.logprobs == tuple(euro)


@pytest.mark.parametrize(
    "events",
    [
        [END],
        [VECTORS, VECTORS],
        [Embeddings(Tensor("float32", [1, 2], bytes(8)), 5)],
        [Embeddings(Tensor("float64", [2, 1], bytes(16)), 5)],
        [Embeddings(Tensor("float32", [2], bytes(8)), 5)],
        [Embeddings(Tensor("float32", [2, 1], bytes(7)), 5)],
        [Embeddings(Tensor("float32", [2, 1 << 31], bytes(8)), 5)],
    ],
)
def test_events_that_are_no_embeddings_of_two_texts(events: list[Event]) -> None:
    with pytest.raises(SealBroken):
        vectors_of(events, proof(), 2)


def test_embeddings_keep_the_order_of_the_texts() -> None:
    vectors = vectors_of([VECTORS], proof(), 2)
    assert (vectors, vectors.prompt_tokens) == ([[1.0], [2.0]], 5)


@pytest.mark.parametrize(
    "events",
    [
        [VECTORS],
        [SCORES, SCORES],
        [Scores(["a"], SCORES.scores)],
        [Scores(["a", "b", "c"], SCORES.scores)],
        [Scores(["a", "b"], Tensor("float32", [1, 2], bytes(8)))],
        [Scores(["a", "b"], Tensor("float64", [2, 2], bytes(32)))],
        [Scores(["a", "b"], Tensor("float32", [2, 2], bytes(15)))],
    ],
)
def test_events_that_are_no_scores_of_two_texts(events: list[Event]) -> None:
    with pytest.raises(SealBroken):
        scores_of(events, proof(), 2)


def test_scores_by_label() -> None:
    assert scores_of([SCORES], proof(), 2) == [{"a": 0.0, "b": 1.0}, {"a": 2.0, "b": 0.0}]


def span(start: int, end: int) -> Span:
    return Span(start, end, "x", 1.0)


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [[]],
        [[], [], []],
        [[span(0, 0)], []],
        [[span(1, 0)], []],
        [[span(0, 3)], []],
        [[], [span(0, 1)]],
        [[span(1, 2), span(0, 1)], []],
    ],
)
def test_spans_that_do_not_lie_in_the_texts(spans: list[list[Span]]) -> None:
    with pytest.raises(SealBroken):
        spans_of([Tags(spans)], proof(), ["aé", ""])


def test_events_that_are_no_spans() -> None:
    with pytest.raises(SealBroken, match="expected the events"):
        spans_of([SCORES], proof(), [""])


def test_spans_in_their_order() -> None:
    spans = [[span(0, 1), span(1, 2)], []]
    assert spans_of([Tags(spans)], proof(), ["aé", ""]) == spans


@pytest.mark.parametrize("events", [[END], [OUTPUTS, OUTPUTS], [Outputs({"y": Tensor("int8", [2], b"1")})]])
def test_events_that_are_no_outputs(events: list[Event]) -> None:
    with pytest.raises(SealBroken):
        tensors_of(events, proof())


def test_outputs_by_name() -> None:
    assert tensors_of([OUTPUTS], proof()) == OUTPUTS.tensors


@pytest.mark.parametrize("events", [[END], [OUTPUTS], [DESCRIPTION, DESCRIPTION]])
def test_events_that_are_no_description(events: list[Event]) -> None:
    with pytest.raises(SealBroken):
        description_of(events, proof())


def test_a_description() -> None:
    described = description_of([DESCRIPTION], proof())
    assert (described.version, described.task) == ("1.2", "infer")
    assert (described.inputs, described.outputs) == (tuple(DESCRIPTION.inputs), tuple(DESCRIPTION.outputs))


def test_no_answer_without_its_proof() -> None:
    collector = TextCollector()
    for event in (TextDelta("a"), END):
        collector.add(event)
    with pytest.raises(AnswerTruncated):
        collector.answer()
