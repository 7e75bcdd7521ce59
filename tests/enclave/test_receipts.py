"""Every answer made inside a context has a receipt that verifies, and its one leaf in the log (R13, R14, R22)."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from attestation.measurements import CATALOGUE_LABEL, labelled_digest
from attestation.merkle import Frontier
from attestation.proof_errors import ProofRejected
from attestation.proofs.checkpoints import verify_checkpoint
from attestation.receipt_claims import NO_MANIFEST, Outcome, ReceiptClaims
from attestation.receipts import IssuedReceipt, issue_receipt
from strongroom.protocol.events import decode_events
from strongroom.protocol.payloads import ChatTask, Failure, Message, TextDelta
from strongroom.protocol.responses import ResponseOpener
from tests.enclave.caller import CHAT, INFER, Caller, ready
from tests.enclave.deployment import configuration, request_key

LONG = ChatTask([Message("user", "hello")], max_tokens=30)


@pytest.fixture
async def caller(decoder_dir: Path, tensor_dir: Path) -> Caller:
    return await ready(decoder_dir, tensor_dir, deployment=configuration(requests=[request_key()]))


def root_of(leaves: list[bytes]) -> bytes:
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


async def test_a_receipt_says_what_answered_under_which_keys(caller: Caller) -> None:
    claims = (await caller.ask(caller.seal(INFER, model="tiny-tensor", request_id=b"r" * 16))).receipt.claims
    boot, entry = caller.enclave.boot, caller.enclave.boot.catalogue.find("tiny-tensor")
    assert entry is not None
    assert (claims.request_id, claims.outcome) == (b"r" * 16, Outcome.COMPLETE)
    assert (claims.model, claims.model_version) == (entry.id, entry.version)
    assert claims.manifest_sha384.hex() == entry.manifest_sha384
    assert claims.catalogue_sha384 == labelled_digest(CATALOGUE_LABEL, caller.enclave.catalogue_bytes)
    assert claims.key_policies == {"models": boot.client_evidence.key_list.key_policies["models"]}
    assert claims.kms_leg == boot.client_evidence.key_list.kms_leg
    assert claims.keys_sha384 == hashlib.sha384(boot.client_evidence.key_list.to_bytes()).digest()
    assert (claims.generated_chunks, claims.sent_chunks) == (1, 1)


async def test_the_receipt_of_an_envelope_names_its_key_too(caller: Caller) -> None:
    claims = (await caller.ask(caller.envelope(request_key()))).receipt.claims
    assert set(claims.key_policies) == {"models", "requests"}


async def test_a_streamed_answer_commits_to_the_same_as_a_whole_one(caller: Caller) -> None:
    whole, streamed = await caller.ask(caller.seal(CHAT)), await caller.ask(caller.seal(CHAT, stream=True))
    assert streamed.receipt.claims.outcome is whole.receipt.claims.outcome is Outcome.COMPLETE
    chunks = len(streamed.pieces) - 1
    assert (streamed.receipt.claims.generated_chunks, streamed.receipt.claims.sent_chunks) == (chunks, chunks)


@pytest.mark.parametrize("model", ["no-such-model", "tiny-tensor"])
@pytest.mark.parametrize("envelope", [False, True])
async def test_a_failure_has_its_receipt(caller: Caller, model: str, envelope: bool) -> None:
    if envelope:
        rest = caller.rest(after_ms=-1)
        answer = await caller.ask(caller.envelope(request_key(), model=model, rest=rest, age_ms=10))
    else:
        answer = await caller.ask(caller.seal(CHAT, model=model))
    claims = answer.receipt.claims
    assert isinstance(answer.events[-1], Failure)
    assert (claims.model, claims.outcome) == (model, Outcome.FAILED)
    assert (claims.manifest_sha384 == NO_MANIFEST) == (model == "no-such-model")
    used = ({"models"} if model == "tiny-tensor" else set()) | ({"requests"} if envelope else set())
    assert set(claims.key_policies) == used


async def test_an_answer_that_is_too_long_commits_to_its_refusal(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("enclave.serving.answers.MAX_ANSWER_BYTES", 30)
    streamed = await caller.ask(caller.seal(LONG, stream=True))
    whole = await caller.ask(caller.seal(INFER, model="tiny-tensor"))
    for answer in (streamed, whole):
        assert isinstance(answer.events[-1], Failure)
        assert answer.receipt.claims.outcome is Outcome.FAILED


async def test_leaves_stand_in_the_order_of_their_receipts(caller: Caller) -> None:
    leaves: list[bytes] = []
    for number in range(5):
        answer = await caller.ask(caller.seal(INFER, model="tiny-tensor"))
        assert answer.receipt.claims.leaf_index == number
        assert answer.receipt.claims.root_before == root_of(leaves)
        leaves.append(answer.leaf)
    page = await caller.service.audit_page(0)
    assert page.leaves == b"".join(leaves)
    claims = answer.receipt.claims
    checkpoint = verify_checkpoint(page.checkpoint, receipt_key=claims.receipt_key, boot_id=claims.boot_id)
    assert (checkpoint.size, checkpoint.root) == (5, root_of(leaves))
    with pytest.raises(ProofRejected):
        verify_checkpoint(page.checkpoint, receipt_key=claims.receipt_key, boot_id=bytes(32))


@pytest.mark.parametrize("pieces", [1, 2, 4])
async def test_a_cancelled_answer_has_a_leaf_that_nobody_holds(caller: Caller, pieces: int) -> None:
    answer = caller.service.answer(await caller.service.open(caller.seal(LONG, stream=True)))
    for _ in range(pieces):
        await anext(answer)
    assert caller.service.audit.size == 0
    await answer.aclose()
    assert caller.service.audit.size == 1
    following = await caller.ask(caller.seal(INFER, model="tiny-tensor"))
    assert following.receipt.claims.leaf_index == 1


async def test_what_a_cancelled_receipt_counts(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    issued: list[ReceiptClaims] = []

    def noticed(claims: ReceiptClaims, key: EllipticCurvePrivateKey, leaf_salt: bytes) -> IssuedReceipt:
        issued.append(claims)
        return issue_receipt(claims, key, leaf_salt)

    monkeypatch.setattr("enclave.serving.receipts.issue_receipt", noticed)
    answer = caller.service.answer(await caller.service.open(caller.seal(LONG, stream=True)))
    for _ in range(3):  # the head and two chunks, of which the second is not known to have been handed over
        await anext(answer)
    await answer.aclose()
    [claims] = issued
    assert (claims.outcome, claims.generated_chunks, claims.sent_chunks) == (Outcome.CANCELLED, 2, 1)


async def test_nothing_comes_before_the_last_chunk_that_is_a_receipt(caller: Caller) -> None:
    message = caller.seal(CHAT, stream=True)
    admitted = await caller.service.open(message)
    opener = ResponseOpener(caller.secret, message, admitted.media_type)
    chunks = [body async for piece in caller.service.answer(admitted) for body in opener.feed(piece)]
    *before, last = [[type(event).__name__ for event in decode_events(body)] for body in chunks]
    assert before == [["TextDelta"]] * len(before)
    assert last == ["GenerationEnd", "Receipt"]


async def test_text_is_committed_to_whole(caller: Caller) -> None:
    """A receipt that was made for the text of another answer opens nothing: `ask` would raise."""
    answer = await caller.ask(caller.seal(LONG, stream=True))
    assert sum(isinstance(event, TextDelta) for event in answer.events) > 1


async def test_a_swapped_receipt_is_not_this_answers(caller: Caller) -> None:
    first, second = await caller.ask(caller.seal()), await caller.ask(caller.seal())
    assert first.receipt.claims.request_id != second.receipt.claims.request_id
    assert first.receipt.claims.request_commitment != second.receipt.claims.request_commitment
    assert first.leaf != second.leaf
