"""Answers: only the events of the task asked for, in their order, make one."""

from collections.abc import AsyncIterator, Sequence

import pytest

from attestation.policy import UnsafeAnyMeasurement
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import verify_receipt
from strongroom.client.answers import collect_chat, collect_tensors, collect_vectors
from strongroom.client.errors import AnswerTruncated, SealBroken
from strongroom.client.proofs import Part, Proof
from strongroom.protocol.payloads import Embeddings, Event, GenerationEnd, Outputs, TextDelta
from strongroom.protocol.tensors import Tensor
from tests.attestation import issuing

END = GenerationEnd("length", 1, 2)
VECTORS = Embeddings(Tensor("float32", [2, 1], bytes.fromhex("0000803f00000040")))
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


async def sent(events: Sequence[Event], *, proven: bool = True) -> AsyncIterator[Part]:
    for event in events:
        yield event
    if proven:
        yield proof()


@pytest.mark.parametrize("events", [[END, END], [END, TextDelta("x")], [VECTORS], [OUTPUTS], [TextDelta("x"), OUTPUTS]])
async def test_events_that_are_no_chat(events: list[Event]) -> None:
    with pytest.raises(SealBroken, match="expected the events"):
        await collect_chat(sent(events))


@pytest.mark.parametrize("events", [[], [TextDelta("x")]])
async def test_a_chat_without_an_end(events: list[Event]) -> None:
    with pytest.raises(AnswerTruncated):
        await collect_chat(sent(events))


async def test_a_chat() -> None:
    answer = await collect_chat(sent([TextDelta("a"), TextDelta("b"), END]))
    assert (answer.text, answer.finish) == ("ab", "length")


@pytest.mark.parametrize(
    "events",
    [
        [END],
        [VECTORS, VECTORS],
        [Embeddings(Tensor("float32", [1, 2], bytes(8)))],
        [Embeddings(Tensor("float64", [2, 1], bytes(16)))],
        [Embeddings(Tensor("float32", [2], bytes(8)))],
        [Embeddings(Tensor("float32", [2, 1], bytes(7)))],
        [Embeddings(Tensor("float32", [2, 1 << 31], bytes(8)))],
    ],
)
async def test_events_that_are_no_embeddings_of_two_texts(events: list[Event]) -> None:
    with pytest.raises(SealBroken):
        await collect_vectors(sent(events), 2)


async def test_embeddings_keep_the_order_of_the_texts() -> None:
    assert await collect_vectors(sent([VECTORS]), 2) == [[1.0], [2.0]]


@pytest.mark.parametrize("events", [[END], [OUTPUTS, OUTPUTS], [Outputs({"y": Tensor("int8", [2], b"1")})]])
async def test_events_that_are_no_outputs(events: list[Event]) -> None:
    with pytest.raises(SealBroken):
        await collect_tensors(sent(events))


async def test_no_events_at_all() -> None:
    with pytest.raises(AnswerTruncated):
        await collect_vectors(sent([]), 1)
    with pytest.raises(AnswerTruncated):
        await collect_tensors(sent([]))


async def test_outputs_by_name() -> None:
    assert await collect_tensors(sent([OUTPUTS])) == OUTPUTS.tensors


async def test_no_answer_without_its_proof() -> None:
    with pytest.raises(AnswerTruncated):
        await collect_chat(sent([TextDelta("a"), END], proven=False))
    with pytest.raises(AnswerTruncated):
        await collect_vectors(sent([VECTORS], proven=False), 2)
    with pytest.raises(AnswerTruncated):
        await collect_tensors(sent([OUTPUTS], proven=False))
