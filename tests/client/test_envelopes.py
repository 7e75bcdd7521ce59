"""KMS envelopes: sealed while no enclave runs, answered later, opened only under the owner's own policy (R7, R8)."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from attestation.anchors import SimulatedTrustAnchor
from attestation.bundles import Bundle
from attestation.evidence import Evidence
from attestation.policy import UnsafeAnyMeasurement
from attestation.proof_errors import ProofCode
from attestation.receipt_claims import Outcome
from strongroom.client.answers import ModelDescription, TextAnswer
from strongroom.client.envelopes import EnvelopeSealer, is_sealed_under
from strongroom.client.errors import (
    AnswerTruncated,
    AttestationRefused,
    InvalidArgument,
    ReceiptRefused,
    RequestRefused,
    SealBroken,
    StrongroomError,
)
from strongroom.client.kept_answers import KeptAnswer
from strongroom.client.kms_terms import KMSTerms
from strongroom.client.submitter import Submitter
from strongroom.client.tasks import chat_task, embed_task, infer_task
from strongroom.client.terms import Terms
from strongroom.client.tickets import Ticket
from strongroom.protocol.constants import MEDIA_SEALED_RESPONSE, MEDIA_SEALED_STREAM
from strongroom.protocol.contents import join_text
from strongroom.protocol.messages import SealedRequestHead
from strongroom.protocol.payloads import ChatTask, DescribeTask, Failure, Rest, Task
from strongroom.protocol.responses import ResponseSealer
from strongroom.protocol.tensors import Tensor
from strongroom.protocol.ways import WayIn
from strongroom.simulator.pki import SimulatedPKI
from tests.client.fake_enclave import (
    CONFIGURATION,
    DESCRIPTION,
    MODELS,
    PIECES,
    REQUESTS,
    Clock,
    FakeEnclave,
    FakeKMS,
    events_for,
)
from tests.client.fake_gateway import FakeGateway

DAY_MS = 86_400_000
TASK = chat_task("canary", max_tokens=9)
OTHER_IMAGE = {index: bytes([index + 9]) * 48 for index in range(3)}
TENSOR = Tensor("int64", [2], bytes(16))


@dataclass
class Case:
    """A sealer, an enclave that KMS releases data keys to, and what the owner demands."""

    enclave: FakeEnclave
    terms: Terms
    clock: Clock
    pki: SimulatedPKI

    def __post_init__(self) -> None:
        self.sealer = EnvelopeSealer.generate(self.enclave.kms, CONFIGURATION, "requests")

    def seal(self, task: Task = TASK, *, days: int = 90, **options: Any) -> Ticket:
        not_after_ms = self.clock.now_ms + days * DAY_MS
        return self.sealer.seal(task, model="tiny", not_after_ms=not_after_ms, at_ms=self.clock.now_ms, **options)

    def answer(self, ticket: Ticket, **lies: Any) -> KeptAnswer:
        """As `submit` would write it."""
        sealed = self.enclave.answer(ticket.sealed, **lies)
        evidence = self.enclave.evidence_of(self.enclave.cached.payload_digest)
        return KeptAnswer(sealed.media_type, sealed.to_bytes(), evidence)

    def open(self, ticket: Ticket, answer: KeptAnswer) -> object:
        return ticket.open(answer.to_bytes(), self.terms)

    def another(self, **options: Any) -> FakeEnclave:
        return FakeEnclave(self.pki, clock=self.clock, **options)

    def passes(self, span_ms: int) -> None:
        self.clock.now_ms += span_ms
        self.enclave.refresh()


@pytest.fixture
def case(enclave: FakeEnclave, anchor: SimulatedTrustAnchor, clock: Clock, pki: SimulatedPKI) -> Case:
    return Case(enclave, Terms(enclave.policy(), anchor, allow_simulated=True), clock, pki)


def test_one_data_key_under_the_context_of_the_entry(case: Case) -> None:
    tickets = [case.seal() for _ in range(3)]
    [call] = case.enclave.kms.calls
    assert call == {"KeyId": REQUESTS.arn, "KeySpec": "AES_256", "EncryptionContext": REQUESTS.fixed_context}
    assert REQUESTS.fixed_context == {"purpose": "request", "tenant": "demo"}
    assert (
        len({ticket.asked.secret for ticket in tickets})
        == len({ticket.asked.head.request_id for ticket in tickets})
        == 3
    )
    for ticket in tickets:
        assert (is_sealed_under(ticket, REQUESTS), is_sealed_under(ticket, MODELS)) == (True, False)
        assert b"canary" not in ticket.sealed


@pytest.mark.parametrize("single_use", [True, False])
def test_sealed_months_before_it_is_answered(case: Case, single_use: bool) -> None:
    ticket = case.seal(single_use=single_use)
    case.passes(80 * DAY_MS)
    answer = case.answer(ticket)
    case.clock.now_ms += 300 * DAY_MS
    opened = Ticket.from_bytes(ticket.to_bytes()).open(answer.to_bytes(), case.terms)
    assert isinstance(opened, TextAnswer)
    assert opened.text == "".join(PIECES)
    bundle = Bundle.from_bytes(opened.proof())
    assert bundle.request is not None
    assert b"canary" in bundle.request.content
    head, request = case.enclave.opened[0]
    assert (head.suite, head.model, request.task, request.stream) == (WayIn.KMS_ENVELOPE, "tiny", TASK, False)
    assert request.rest == Rest(ticket.not_after_ms, single_use)


def test_vectors_and_tensors(case: Case) -> None:
    embed, infer = case.seal(embed_task(["a", "b"])), case.seal(infer_task({"x": TENSOR}))
    assert case.open(embed, case.answer(embed)) == [[1.0, 2.0], [1.0, 2.0]]
    assert case.open(infer, case.answer(infer)) == {"x": TENSOR}


def test_a_description(case: Case) -> None:
    ticket = case.seal(DescribeTask())
    described = case.open(ticket, case.answer(ticket))
    assert isinstance(described, ModelDescription)
    assert described.inputs == tuple(DESCRIPTION.inputs)


def test_a_failure_is_the_enclaves_own_word(case: Case) -> None:
    ticket = case.seal(days=1)
    case.passes(2 * DAY_MS)
    with pytest.raises(RequestRefused) as caught:
        case.open(ticket, case.answer(ticket, events=[Failure("expired", "Seal it again.")]))
    assert (caught.value.failure_code, bool(caught.value.receipt)) == ("expired", True)


def altered(data: bytes, at: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def without_receipt(case: Case, ticket: Ticket) -> bytes:
    """What the enclave would seal, had it forgotten the receipt."""
    asked, digest = case.enclave.open(ticket.sealed), case.enclave.cached.payload_digest
    sealer = ResponseSealer(asked.secret, ticket.sealed, MEDIA_SEALED_RESPONSE, digest)
    return case.enclave.seal(sealer, MEDIA_SEALED_RESPONSE, [join_text(events_for(asked.task))]).to_bytes()


Attack = Callable[[Case, Ticket, KeptAnswer], object]
ATTACKS: dict[str, tuple[type[StrongroomError], Attack]] = {
    "another policy": (
        AttestationRefused,
        lambda case, ticket, answer: ticket.open(
            answer.to_bytes(), replace(case.terms, policy=case.another(image=OTHER_IMAGE).policy())
        ),
    ),
    "a simulator not allowed": (
        AttestationRefused,
        lambda case, ticket, answer: ticket.open(answer.to_bytes(), replace(case.terms, allow_simulated=False)),
    ),
    "a KMS leg not good enough": (
        AttestationRefused,
        lambda case, ticket, answer: ticket.open(
            answer.to_bytes(), replace(case.terms, kms=KMSTerms(require_hybrid=True))
        ),
    ),
    "evidence of another boot": (
        ReceiptRefused,
        lambda case, ticket, answer: case.open(ticket, replace(answer, evidence=case.another().evidence(None))),
    ),
    "evidence with a live document of the same boot": (
        ReceiptRefused,
        lambda case, ticket, answer: case.open(ticket, replace(answer, evidence=case.enclave.evidence(bytes(32)))),
    ),
    "evidence with another receipt key": (
        AttestationRefused,
        lambda case, ticket, answer: case.open(
            ticket,
            replace(
                answer,
                evidence=replace(Evidence.from_bytes(answer.evidence), receipt_key=case.another().point).to_bytes(),
            ),
        ),
    ),
    "no evidence": (
        AttestationRefused,
        lambda case, ticket, answer: case.open(ticket, replace(answer, evidence=b"")),
    ),
    "a foreign ticket": (SealBroken, lambda case, ticket, answer: case.open(case.seal(), answer)),
    "an altered answer": (
        SealBroken,
        lambda case, ticket, answer: case.open(ticket, replace(answer, response=altered(answer.response, -1))),
    ),
    "a cut answer": (
        AnswerTruncated,
        lambda case, ticket, answer: case.open(ticket, replace(answer, response=answer.response[:-1])),
    ),
    "an empty answer": (
        AnswerTruncated,
        lambda case, ticket, answer: case.open(ticket, replace(answer, response=b"")),
    ),
    "another media type": (
        SealBroken,
        lambda case, ticket, answer: case.open(ticket, replace(answer, media_type=MEDIA_SEALED_STREAM)),
    ),
    "no answer": (SealBroken, lambda case, ticket, answer: ticket.open(b"", case.terms)),
    "bytes behind it": (SealBroken, lambda case, ticket, answer: ticket.open(answer.to_bytes() + b"x", case.terms)),
    "no receipt": (
        ReceiptRefused,
        lambda case, ticket, answer: case.open(ticket, replace(answer, response=without_receipt(case, ticket))),
    ),
    "another request's receipt": (
        ReceiptRefused,
        lambda case, ticket, answer: case.open(ticket, case.answer(ticket, request_id=bytes(16))),
    ),
    "an outcome that it had not": (
        ReceiptRefused,
        lambda case, ticket, answer: case.open(ticket, case.answer(ticket, outcome=Outcome.CANCELLED)),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_is_released_before_all_of_it_verified(case: Case, name: str) -> None:
    error, attack = ATTACKS[name]
    ticket = case.seal()
    answer = case.answer(ticket)
    case.open(ticket, answer)
    with pytest.raises(error) as caught:
        attack(case, ticket, answer)
    assert "Paris" not in f"{caught.value!r}"


def test_an_answer_from_after_not_after(case: Case) -> None:
    """An enclave that did not look at its clock would not be believed either."""
    ticket = case.seal(days=1)
    case.passes(2 * DAY_MS)
    with pytest.raises(ReceiptRefused, match="not-after"):
        case.open(ticket, case.answer(ticket))


def test_a_receipt_long_after_its_document(case: Case) -> None:
    ticket = case.seal()
    stale = case.answer(ticket, time_ms=case.clock.now_ms + 7_200_001)
    with pytest.raises(ReceiptRefused) as caught:
        case.open(ticket, stale)
    assert caught.value.reason == ProofCode.AFTER_DOCUMENT


@pytest.mark.parametrize("days", [-1, 0, 401])
def test_times_out_of_bounds(case: Case, days: int) -> None:
    with pytest.raises(InvalidArgument, match="not_after_ms"):
        case.seal(days=days)


def test_arguments_out_of_bounds(case: Case) -> None:
    with pytest.raises(InvalidArgument, match="model"):
        case.sealer.seal(TASK, model="No Model", not_after_ms=case.clock.now_ms + 1, at_ms=case.clock.now_ms)
    with pytest.raises(InvalidArgument, match="surrogate"):
        case.seal(chat_task("\ud800"))
    with pytest.raises(InvalidArgument, match="at most"):
        case.seal(infer_task({"x": Tensor("uint8", [17 << 20], bytes(17 << 20))}))


@pytest.mark.parametrize("key_entry", ["models", "none", ""])
def test_only_an_entry_for_requests(key_entry: str) -> None:
    kms = FakeKMS()
    with pytest.raises(InvalidArgument, match="purpose 'request'"):
        EnvelopeSealer.generate(kms, CONFIGURATION, key_entry)
    assert kms.calls == []


@pytest.mark.parametrize(
    "change",
    [{"KeyId": MODELS.arn}, {"Plaintext": bytes(16)}, {"CiphertextBlob": b""}, {"CiphertextBlob": bytes(6145)}],
)
def test_a_kms_that_answers_something_else(change: dict[str, Any]) -> None:
    class Other(FakeKMS):
        def generate_data_key(self, **arguments: Any) -> dict[str, Any]:
            return {**super().generate_data_key(**arguments), **change}

    with pytest.raises(InvalidArgument, match="data key"):
        EnvelopeSealer.generate(Other(), CONFIGURATION, "requests")


def test_tickets_and_sealers_show_no_secret(case: Case) -> None:
    ticket = case.seal()
    shown = f"{case.sealer!r} {ticket!r} {ticket.asked!r}"
    for secret in (case.sealer.data_key, ticket.asked.secret, b"canary"):
        assert repr(secret)[2:-1] not in shown


def test_every_cut_and_longer_ticket_is_refused(case: Case) -> None:
    whole = case.seal().to_bytes()
    assert Ticket.from_bytes(whole).to_bytes() == whole
    for data in [whole[:at] for at in range(0, len(whole), 53)] + [whole + b"x", b"SRT\x02" + whole[4:]]:
        with pytest.raises(InvalidArgument):
            Ticket.from_bytes(data)


@pytest.mark.parametrize("content", [b"", b"\xa0", b"text"])
def test_a_ticket_without_a_task(case: Case, content: bytes) -> None:
    ticket = case.seal()
    with pytest.raises(InvalidArgument):
        Ticket.from_bytes(replace(ticket, asked=replace(ticket.asked, content=content)).to_bytes())


def test_under_any_measurement_a_bundle_has_no_policy(case: Case) -> None:
    ticket = case.seal()
    opened = ticket.open(case.answer(ticket).to_bytes(), replace(case.terms, policy=UnsafeAnyMeasurement()))
    assert Bundle.from_bytes(opened.proof()).policy is None
    assert isinstance(ticket.task, ChatTask)


@pytest.fixture
async def submitter(gateway: FakeGateway) -> AsyncIterator[Submitter]:
    async with Submitter(gateway.url, timeout_s=5.0, waits_s=(0.0, 0.0)) as submitter:
        yield submitter


async def test_submitted_and_opened(case: Case, submitter: Submitter) -> None:
    ticket = case.seal()
    answer = await submitter.submit(ticket.sealed)
    opened = ticket.open(answer, case.terms)
    assert isinstance(opened, TextAnswer)
    assert opened.text == "".join(PIECES)
    assert KeptAnswer.from_bytes(answer).request_id == SealedRequestHead.read(ticket.sealed)[0].request_id
