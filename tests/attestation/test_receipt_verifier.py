"""The receipt verifier: one defect, one code; and each check is missed when it is gone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from random import Random

import cbor2
import pytest

from attestation.policy import MAX_INSTANT_MS
from attestation.proof_errors import Layer, ProofCode, ProofRejected
from attestation.proofs import claims as claims_module
from attestation.proofs import envelopes, verifier
from attestation.proofs.claims import read_receipt_claims
from attestation.proofs.envelopes import SignedPayload
from attestation.proofs.openings import Opening
from attestation.proofs.verifier import VerifiedReceipt, verify_receipt
from attestation.receipt_claims import ReceiptClaims
from attestation.signing import signed
from tests.attestation import receipt_cases
from tests.attestation.issuing import REQUEST, Enclave
from tests.attestation.mutation import octets
from tests.attestation.mutation.cbor_tree import parse
from tests.attestation.receipt_cases import DOCUMENT, ENCLAVE, PAYLOAD, RECEIPT, SALTS, Case

CASES = receipt_cases.cases()
MUTANTS = 2_000

# Of evidence and bundles, which have tests of their own, and of whole logs.
NOT_A_RECEIPTS = {
    *(ProofCode.EVIDENCE_FORM, ProofCode.BUNDLE_FORM, ProofCode.LOG_FORM, ProofCode.LOG_ORDER, ProofCode.LOG_ROOT),
    *(ProofCode.LOG_UNCOVERED, ProofCode.LOG_CUT, ProofCode.LOG_FORK, ProofCode.LOG_LEAF, ProofCode.LOG_MISSING),
}


def code_of(case: Case) -> ProofCode | None:
    try:
        verify_receipt(case.receipt, case.document, **case.shown)
    except ProofRejected as rejected:
        return rejected.code
    return None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_is_judged_as_it_must_be(case: Case) -> None:
    assert code_of(case) is case.code


def test_there_is_a_case_for_every_code() -> None:
    assert {case.code for case in CASES} == {*ProofCode, None} - NOT_A_RECEIPTS


def test_what_a_sound_receipt_gives() -> None:
    request, response = receipt_cases.SHOWN["request"], receipt_cases.SHOWN["response"]
    verified = verify_receipt(RECEIPT, DOCUMENT, request=request, response=response, log=receipt_cases.log_proof())
    assert verified.claims == receipt_cases.CLAIMS
    assert (verified.checked, verified.skipped) == (tuple(Layer), ())
    bare = verify_receipt(RECEIPT, DOCUMENT)
    assert bare.skipped == (Layer.REQUEST, Layer.RESPONSE, Layer.LOG)
    assert bare.checked == (Layer.FORM, Layer.DOCUMENT, Layer.BINDING, Layer.SIGNATURE, Layer.TIME)
    assert len(bare.does_not_prove) == len(verified.does_not_prove) + 3


def test_under_the_simulators_root_it_never_reads_as_hardware() -> None:
    verified = verify_receipt(RECEIPT, DOCUMENT)
    assert verified.simulated
    assert "SIMULATED" in verified.proves[0]
    assert "hardware" in verified.does_not_prove[0]


def test_a_cancelled_answer_is_said_to_be_none_that_is_whole() -> None:
    [case] = [case for case in CASES if case.name == "sound, cancelled"]
    verified = verify_receipt(case.receipt, case.document)
    assert any("cancelled" in limit for limit in verified.does_not_prove)


def test_an_answer_without_a_model_is_not_said_to_be_a_models() -> None:
    [case] = [case for case in CASES if case.name == "sound, no such model"]
    verified = verify_receipt(case.receipt, case.document)
    assert "its catalogue has no smollm2-135m; outcome: failed" in verified.proves[0]
    assert "answered with model" not in verified.proves[0]


def test_seconds_do_not_end_before_milliseconds() -> None:
    """CWT's ``iat`` passes 2^32 in the year 2106, time_ms goes on to the year 9999."""
    for time_ms in ((1 << 32) * 1000, MAX_INSTANT_MS):
        claims = replace(receipt_cases.CLAIMS, time_ms=time_ms)
        assert read_receipt_claims(claims.to_payload()) == claims


def test_only_the_verifier_makes_verified_receipts() -> None:
    verified = verify_receipt(RECEIPT, DOCUMENT)
    with pytest.raises(TypeError, match="verify_receipt"):
        VerifiedReceipt(verified.claims, DOCUMENT, b"", (), (), (), guard=object())
    with pytest.raises(TypeError, match="VerifiedDocument"):
        verify_receipt(RECEIPT, ENCLAVE.parsed)  # type: ignore[arg-type]  # what a caller without a type checker does


def test_two_enclaves_do_not_vouch_for_each_other() -> None:
    """R14: receipts and documents of two boots, crossed in every way."""
    boots = [Enclave("A"), Enclave("B")]
    issued = [boot.issue() for boot in boots]
    for number, boot in enumerate(boots):
        for other, receipt in enumerate(issued):
            case = Case("", None, receipt.receipt, boot.verified())
            assert code_of(case) is (None if number == other else ProofCode.OTHER_DOCUMENT)


def test_errors_quote_no_content() -> None:
    for case in CASES:
        if case.code is not None:
            with pytest.raises(ProofRejected) as caught:
                verify_receipt(case.receipt, case.document, **case.shown)
            assert REQUEST.decode() not in str(caught.value)
            assert SALTS.request.hex() not in str(caught.value)


def test_mutated_bytes_never_verify() -> None:
    rng, checkpoint = Random(5), Enclave("B").checkpoint()
    for _ in range(MUTANTS // 2):
        mutant = octets.mutated(rng, RECEIPT, checkpoint)
        if mutant != RECEIPT:
            with pytest.raises(ProofRejected):
                verify_receipt(mutant, DOCUMENT)


def test_mutated_claims_signed_again_are_refused_or_say_exactly_what_was_signed() -> None:
    """The signature holds, so that the mutation reaches the rules behind it."""
    rng, accepted = Random(6), 0
    for number in range(MUTANTS // 2):
        payload = octets.mutated(rng, PAYLOAD, PAYLOAD) if number % 2 else _other_item(rng)
        try:
            verified = verify_receipt(signed(payload, ENCLAVE.key), DOCUMENT)
        except ProofRejected:
            continue
        accepted += 1
        assert verified.claims.to_payload() == payload
        assert set(_differences(verified.claims)) <= FREE
    assert accepted > 10


FREE = {
    *("request_id", "time_ms", "duration_ms", "model", "model_version", "manifest_sha384", "key_policies", "kms_leg"),
    *("request_commitment", "response_commitment", "leaf_index", "root_before", "outcome", "generated_chunks"),
    *("sent_chunks", "verdicts"),
}
"""What the enclave may say as it likes: the document holds nothing to compare it with."""


def _other_item(rng: Random) -> bytes:
    tree = parse(PAYLOAD)
    item = rng.choice([item for item in tree.whole() if item is not tree])
    if item.content:
        item.content = bytes(each ^ (rng.randrange(256) if rng.random() < 0.1 else 0) for each in item.content)
    else:
        item.argument = rng.choice((0, 1, 2, 3, item.argument + 1, 1 << 40))
    return tree.to_bytes()


def _differences(claims: ReceiptClaims) -> list[str]:
    names = ReceiptClaims.__dataclass_fields__
    return [name for name in names if getattr(claims, name) != getattr(receipt_cases.CLAIMS, name)]


def _nothing(*arguments: object, **keywords: object) -> None:
    """A check that checks nothing."""


@pytest.mark.parametrize(
    ("owner", "check", "code"),
    [
        (claims_module, "_check_issued_at", ProofCode.ISSUED_AT),
        (claims_module, "_check_own_checkpoint", ProofCode.OWN_CHECKPOINT),
        (claims_module, "_check_chunks", ProofCode.CHUNKS),
        (claims_module, "_check_model", ProofCode.CLAIM_VALUE),
        (claims_module, "_check_encoding", ProofCode.CBOR),
        (verifier, "_check_document", ProofCode.OTHER_DOCUMENT),
        (verifier, "_check_document", ProofCode.DOCUMENT_KIND),
        (verifier, "check_statement_binding", ProofCode.NOT_BOUND),
        (verifier, "_check_binding", ProofCode.OTHER_BOOT),
        (verifier, "_check_binding", ProofCode.OTHER_CATALOGUE),
        (envelopes.SignedPayload, "verify", ProofCode.SIGNATURE),
        (envelopes.SignedPayload, "verify", ProofCode.CHECKPOINT_SIGNATURE),
        (verifier, "_check_time", ProofCode.BEFORE_DOCUMENT),
        (verifier, "_check_time", ProofCode.AFTER_DOCUMENT),
        (Opening, "check", ProofCode.REQUEST),
        (Opening, "check", ProofCode.RESPONSE),
        (verifier, "_check_log", ProofCode.INCLUSION),
        (verifier, "_check_log", ProofCode.OTHER_PREFIX),
    ],
)
def test_a_check_that_is_gone_is_missed(
    owner: object, check: str, code: ProofCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, check, _nothing)
    assert any(code_of(case) is not code for case in CASES if case.code is code)


def test_the_bounds_come_before_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_parser(*arguments: object, **keywords: object) -> object:
        raise AssertionError("expected nothing to be decoded")

    monkeypatch.setattr(cbor2, "loads", no_parser)
    for data in (bytes(1 << 20), RECEIPT.ljust(5000, b"\0"), b"\xd2" * 4096):
        with pytest.raises(ProofRejected):
            SignedPayload.from_bytes(data)
    with pytest.raises(ProofRejected):
        read_receipt_claims(b"\x9a\xff\xff\xff\xff" + bytes(64))


def test_making_imports_nothing_of_verification() -> None:
    names = "bindings, evidence, signing, receipt_claims, receipts, merkle, checkpoints"
    code = f"import sys; from attestation import {names}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    verifying = ("attestation.proofs", "attestation.verifier", "attestation.chain", "attestation.policy", "msgspec")
    assert [name for name in loaded if name.startswith(verifying)] == []
