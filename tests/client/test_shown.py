"""What somebody holds of a request and its answer, as a proof bundle would show it, from Python."""

from collections.abc import Callable
from functools import partial

import msgspec
import pytest

from attestation.anchors import AWS_NITRO_ROOT_G1, SimulatedTrustAnchor
from attestation.bundles import Bundle
from attestation.errors import Rejected
from attestation.policy import Measurements, UnsafeAnyMeasurement
from attestation.proof_errors import Layer, ProofCode, ProofRejected
from attestation.proofs.bundled import verify_bundle
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import VerifiedReceipt
from strongroom.client.aio import AsyncClient
from strongroom.client.errors import InvalidArgument
from strongroom.client.shown import request_held, response_held, shown_events, shown_task
from strongroom.client.tasks import chat_task
from strongroom.protocol.errors import Malformed
from strongroom.protocol.payloads import ChatTask, EmbedTask, GenerationEnd, Message, TextDelta
from tests.client.fake_gateway import FakeGateway

Verify = Callable[..., VerifiedReceipt]


@pytest.fixture
def verified(gateway: FakeGateway, anchor: SimulatedTrustAnchor) -> Verify:
    """Judging as the client's own user would, unless said otherwise."""
    return partial(verify_bundle, policy=gateway.enclave.policy(), anchor=anchor, allow_simulated=True)


async def test_what_was_asked_and_answered_as_text(client: AsyncClient, verified: Verify) -> None:
    answer = await client.chat("Where?", max_tokens=7)
    bundle = Bundle.from_bytes(answer.proof())
    request, response = request_held(bundle.request, "Where?\n"), response_held(bundle.response, answer.text)
    assert verified(bundle, request=request, response=response).skipped == (Layer.LOG,)
    for other in (
        {"request": request_held(bundle.request, "When?")},
        {"request": request_held(bundle.request, chat_task("Where?", max_tokens=8))},
        {"response": response_held(bundle.response, answer.text[:-1])},
    ):
        with pytest.raises(ProofRejected) as refused:
            verified(bundle, **other)
        assert refused.value.code in (ProofCode.REQUEST, ProofCode.RESPONSE)


async def test_what_was_asked_and_answered_whole(client: AsyncClient, verified: Verify) -> None:
    answer = await client.chat("Where?", max_tokens=7)
    bundle = Bundle.from_bytes(answer.proof())
    task, events = shown_task(bundle.request), shown_events(bundle.response)
    assert task == chat_task("Where?", max_tokens=7)
    assert events[0] == TextDelta(answer.text)
    streamed = [*map(TextDelta, answer.text), *events[1:]]
    held = {"request": request_held(bundle.request, task), "response": response_held(bundle.response, streamed)}
    assert verified(bundle, **held).skipped == (Layer.LOG,)


async def test_a_completion_as_text(client: AsyncClient, verified: Verify) -> None:
    answer = await client.complete("Where", logprobs=1)
    bundle = Bundle.from_bytes(answer.proof())
    request, response = request_held(bundle.request, "Where"), response_held(bundle.response, answer.text)
    assert verified(bundle, request=request, response=response).skipped == (Layer.LOG,)
    with pytest.raises(ProofRejected):
        verified(bundle, request=request_held(bundle.request, "When"))
    with pytest.raises(ProofRejected):
        verified(bundle, response=response_held(bundle.response, answer.text + "!"))


async def test_a_bundle_is_judged_by_the_callers_policy(
    client: AsyncClient, gateway: FakeGateway, verified: Verify
) -> None:
    bundle = Bundle.from_bytes((await client.chat("Where?")).proof())
    with pytest.raises(Rejected, match="trust-anchor"):
        verified(bundle, anchor=AWS_NITRO_ROOT_G1)
    with pytest.raises(Rejected, match="simulated-anchor"):
        verified(bundle, allow_simulated=False)
    with pytest.raises(Rejected, match="measurement"):
        verified(bundle, policy=Measurements({**gateway.enclave.policy().pcrs, 0: bytes([7]) * 48}))
    judged = verified(bundle, policy=UnsafeAnyMeasurement())
    assert "any measurement" in " ".join(judged.document.does_not_prove)


async def test_what_is_kept_back_has_no_salt(client: AsyncClient, verified: Verify) -> None:
    bundle = Bundle.from_bytes((await client.chat("Where?")).proof(show_request=False, show_response=False))
    assert verified(bundle).skipped == (Layer.REQUEST, Layer.RESPONSE, Layer.LOG)
    with pytest.raises(InvalidArgument, match="keeps it back"):
        request_held(bundle.request, "Where?")
    with pytest.raises(InvalidArgument, match="keeps it back"):
        shown_events(bundle.response)


@pytest.mark.parametrize(
    "task",
    [
        EmbedTask(["Where?"]),
        ChatTask([Message("user", "Where?"), Message("user", "When?")]),
        ChatTask([Message("user", "Where?"), Message("assistant", "Here.")]),
        ChatTask([Message("system", "Say yes."), Message("user", "Where?")]),
        ChatTask([Message("system", "Where?")]),
    ],
    ids=["embed", "two", "answered", "told", "none"],
)
def test_text_says_nothing_of_another_task(task: ChatTask | EmbedTask) -> None:
    shown = request_held(Opening(bytes(32), b""), task)
    with pytest.raises(InvalidArgument, match="no chat of one user message"):
        request_held(shown, "Where?")


def test_a_bundle_that_shows_no_task() -> None:
    for content in (b"", b"\xa0", msgspec.json.encode(GenerationEnd("stop", 1, 1))):
        with pytest.raises(Malformed):
            shown_task(Opening(bytes(32), content))
        with pytest.raises(Malformed):
            response_held(Opening(bytes(32), content), "text")
