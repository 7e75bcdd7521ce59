"""Reports: every step named with its outcome, and every refusal told in full."""

from __future__ import annotations

import json
from typing import Any

import pytest

from attestation.errors import PolicyError, RejectionCode
from attestation.modes import Archived, Live, Recent
from attestation.policy import Measurements, PinnedPCRs, UnsafeAnyMeasurement
from attestation.report import Report, judge
from attestation.steps import Step, step_of
from tests.attestation import forge

KEYS = ["verdict", "code", "mode", "kind", "trust_anchor", "document", "checks", "proves", "does_not_prove"]
POLICY = Measurements({index: forge.pcr(index) for index in range(4)})


def report(data: bytes, **demands: Any) -> Report:
    """Judged archived, under the forge's root, with any measurement, unless ``demands`` say otherwise."""
    usual = {"policy": UnsafeAnyMeasurement(), "mode": Archived(), "anchor": forge.pki().anchor}
    return judge(data, **{**usual, **demands}, allow_simulated=True)


def statuses(judged: Report) -> dict[str, str]:
    return {check.name: check.status for check in judged.checks}


def test_an_accepted_document_passes_every_step_that_was_asked_for() -> None:
    judged = judge(
        forge.document(user_data=b"bound"),
        policy=POLICY,
        mode=Live(forge.NONCE, forge.NOW_MS),
        anchor=forge.pki().anchor,
        allow_simulated=True,
        expect_user_data=b"bound",
        second_opinion=True,
    )
    assert judged.accepted
    assert statuses(judged) == dict.fromkeys(Step, "passed")


def test_what_was_not_asked_is_skipped_and_says_why() -> None:
    judged = report(forge.document())
    skipped = {check.name: check.actual for check in judged.checks if check.status == "skipped"}
    assert judged.accepted
    assert skipped.keys() == {Step.FRESHNESS, Step.POLICY, Step.BINDING, Step.SECOND_OPINION}
    assert skipped[Step.POLICY] == "any measurement is allowed"


def test_an_instant_given_is_a_freshness_that_was_asked_for() -> None:
    judged = report(forge.document(), mode=Archived(forge.NOW_MS))
    assert statuses(judged)[Step.FRESHNESS] == "passed"


def test_debug_mode_that_is_allowed_is_not_asked_about() -> None:
    judged = report(forge.document(pcrs={**forge.PCRS, 0: bytes(48)}), allow_debug=True)
    assert judged.accepted
    assert statuses(judged)[Step.DEBUG] == "skipped"


def test_the_kind_asked_for_is_named_and_has_no_debug_mode() -> None:
    chain = forge.pki(forge.TPM_MODULE_ID)
    pcrs = {"pcrs": ..., "nitrotpm_pcrs": {7: forge.pcr(7)}}
    data = forge.document(chain, module_id=forge.TPM_MODULE_ID, **pcrs)
    judged = report(data, anchor=chain.anchor, kind="nitrotpm")
    assert judged.accepted
    assert judged.kind == "nitrotpm"
    assert statuses(judged)[Step.DEBUG] == "skipped"


def test_a_rejection_tells_what_held_before_and_what_was_not_reached() -> None:
    judged = report(forge.document()[:-1] + b"\0")
    assert not judged.accepted
    assert judged.rejection is not None
    assert judged.rejection.code is RejectionCode.SIGNATURE
    found = statuses(judged)
    assert [step for step in Step if found[step] == "passed"] == list(Step)[: list(Step).index(Step.SIGNATURE)]
    assert found[Step.SIGNATURE] == "failed"
    assert found[Step.DEBUG] == "skipped"
    [failed] = [check for check in judged.checks if check.status == "failed"]
    assert (failed.expected, failed.actual) == (judged.rejection.expected, judged.rejection.actual)


def test_pins_of_the_other_kind_fail_at_the_policy() -> None:
    judged = judge(
        forge.document(),
        policy=PinnedPCRs({0: forge.pcr(0)}, "nitrotpm"),
        mode=Archived(),
        anchor=forge.pki().anchor,
        allow_simulated=True,
    )
    assert [name for name, status in statuses(judged).items() if status == "failed"] == [Step.POLICY]
    assert statuses(judged)[Step.KIND] == statuses(judged)[Step.SIGNATURE] == "passed"


def test_the_json_has_the_documented_keys_in_order() -> None:
    accepted = json.loads(json.dumps(report(forge.document(user_data=b"\x01")).to_builtins()))
    assert list(accepted) == KEYS
    assert accepted["verdict"] == "accepted"
    assert accepted["code"] is None
    assert accepted["mode"] == "archived"
    assert accepted["trust_anchor"] == {"sha256": forge.pki().anchor.sha256, "simulated": True}
    assert accepted["document"]["timestamp"] == forge.NOW_MS
    assert accepted["document"]["pcrs"]["0"] == forge.pcr(0).hex()
    assert (accepted["document"]["public_key"], accepted["document"]["user_data"]) == (None, "01")
    assert list(accepted["checks"][0]) == ["name", "status", "expected", "actual"]


def test_what_does_not_parse_shows_no_fields_and_proves_nothing() -> None:
    rejected = report(b"garbage").to_builtins()
    assert (rejected["verdict"], rejected["code"]) == ("rejected", "cose-structure")
    assert set(rejected["document"].values()) == {None}  # type: ignore[attr-defined]  # a dict, by the test above
    assert rejected["proves"] == rejected["does_not_prove"] == []


def test_a_rejected_document_shows_what_it_says_and_proves_nothing() -> None:
    rejected = report(forge.document(pcrs={**forge.PCRS, 0: bytes(48)})).to_builtins()
    assert rejected["code"] == "debug-mode"
    assert rejected["document"]["module_id"] == forge.MODULE_ID  # type: ignore[index]  # a dict, by the test above
    assert rejected["proves"] == []


def test_unusable_terms_judge_nothing() -> None:
    with pytest.raises(PolicyError):
        judge(forge.document(), policy=UnsafeAnyMeasurement(), mode=Archived(), expect_user_data=b"")


@pytest.mark.parametrize("mode", [Live(b"n", 1), Recent(1, 1), Archived(), Archived(1)])
def test_the_mode_is_named(mode: Live | Recent | Archived) -> None:
    judged = judge(b"", policy=UnsafeAnyMeasurement(), mode=mode)
    assert judged.mode == type(mode).__name__.lower()
    assert judged.rejection is not None
    assert judged.rejection.code is RejectionCode.INPUT_SIZE


@pytest.mark.parametrize("code", RejectionCode)
def test_every_code_belongs_to_a_step(code: RejectionCode) -> None:
    assert isinstance(step_of(code), Step)


def test_every_rule_has_a_code_but_revocation() -> None:
    assert {code.rule for code in RejectionCode} == {*range(33)} - {27}
