"""Policies: empty is an error, tuples stay whole (rule 30, rows 37, 63, 64 of the bad documents)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, RejectionCode
from attestation.measurements import EMPTY_APPLICATION_PCR2
from attestation.modes import Archived
from attestation.policy import AllOf, AnyOf, Measurements, PinnedPCRs, Policy, UnsafeAnyMeasurement
from tests.attestation import forge
from tests.attestation.judge import accept, reject

PINNED = {index: forge.pcr(index) for index in (0, 1, 2, 3, 16, 17)}
SOUND = Measurements(PINNED, "sound")
OTHER = Measurements(PINNED | {0: forge.pcr(99)}, "other")


def without(*indices: int) -> dict[int, bytes]:
    return {index: value for index, value in PINNED.items() if index not in indices}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Measurements({}), id="empty"),
        pytest.param(lambda: Measurements(without(0)), id="no PCR0"),
        pytest.param(lambda: Measurements(without(1)), id="no PCR1"),
        pytest.param(lambda: Measurements(without(2)), id="no PCR2"),
        pytest.param(lambda: Measurements(without(3)), id="no PCR3"),
        pytest.param(lambda: Measurements(PINNED, any_parent_role=True), id="PCR3 and any role"),
        pytest.param(lambda: Measurements(without(3), any_parent_role=None), id="any role None"),  # type: ignore[arg-type]  # must fail
        pytest.param(lambda: Measurements(without(3), any_parent_role="no"), id="any role as text"),  # type: ignore[arg-type]  # must fail
        pytest.param(lambda: Measurements(PINNED | {0: bytes(48)}), id="PCR0 zero"),
        pytest.param(lambda: Measurements(PINNED | {17: bytes(48)}), id="PCR17 zero"),
        pytest.param(lambda: Measurements(PINNED | {2: EMPTY_APPLICATION_PCR2}), id="empty application"),
        pytest.param(lambda: Measurements(PINNED | {0: bytes([1]) * 32}), id="32 bytes"),
        pytest.param(lambda: Measurements(PINNED | {0: "00" * 24}), id="text"),  # type: ignore[arg-type]  # must fail
        pytest.param(lambda: Measurements(PINNED | {32: forge.pcr(32)}), id="PCR32"),
        pytest.param(lambda: Measurements(PINNED | {-1: forge.pcr(1)}), id="PCR-1"),
        pytest.param(lambda: Measurements({"0": forge.pcr(1)}), id="index as text"),  # type: ignore[dict-item]  # must fail
        pytest.param(lambda: Measurements(PINNED, 'a"b'), id="name"),
        pytest.param(lambda: Measurements(PINNED, "", 2, 1), id="window reversed"),
        pytest.param(lambda: Measurements(PINNED, "", 1, 1), id="window of an instant"),
        pytest.param(lambda: Measurements(PINNED, "", -1), id="window before the epoch"),
        pytest.param(lambda: Measurements(PINNED, "", None, 1 << 60), id="window beyond 9999"),
        pytest.param(lambda: AnyOf([]), id="any of none"),
        pytest.param(lambda: AllOf([]), id="all of none"),
        pytest.param(lambda: AnyOf(iter([])), id="any of a generator of none"),  # type: ignore[arg-type]  # must fail
        pytest.param(lambda: AllOf(iter([])), id="all of a generator of none"),  # type: ignore[arg-type]  # must fail
    ],
)
def test_refuses_unusable_policies(make: Callable[[], Policy]) -> None:
    with pytest.raises(PolicyError):
        make()


@pytest.mark.parametrize("index", sorted(PINNED))
def test_refuses_another_or_an_absent_pcr(index: int) -> None:
    another = forge.PCRS | {index: forge.pcr(99)}
    absent = {key: value for key, value in forge.PCRS.items() if key != index}
    rejected = reject(RejectionCode.MEASUREMENT, forge.document(pcrs=another), policy=SOUND)
    assert rejected.expected.startswith(f"PCR{index} ")
    reject(RejectionCode.MEASUREMENT_ABSENT, forge.document(pcrs=absent), policy=SOUND)


def test_an_absent_pcr_is_a_mismatch_even_where_debug_is_allowed() -> None:
    absent = {key: value for key, value in forge.PCRS.items() if key != 0}
    with pytest.raises(Exception, match="measurement-absent"):
        accept(forge.document(pcrs=absent), policy=SOUND, allow_debug=True)


def test_a_mix_of_two_releases_passes_neither() -> None:
    one = Measurements(PINNED, "one")
    two = Measurements({index: forge.pcr(100 + index) for index in PINNED}, "two")
    mixed = forge.PCRS | {0: two.pcrs[0]}
    rejected = reject(RejectionCode.NO_POLICY_MATCHES, forge.document(pcrs=mixed), policy=AnyOf([one, two]))
    assert "PCR0" in rejected.actual
    assert "PCR1" in rejected.actual


def test_releases_n_and_n_minus_1_are_both_valid_while_their_windows_overlap() -> None:
    registers = {index: forge.pcr(100 + index) for index in PINNED}
    before = Measurements(PINNED, "1.3", None, forge.NOW_MS + 1000)
    after = Measurements(registers, "1.4", forge.NOW_MS, None)
    policy = AnyOf([before, after])
    old, new = forge.document(), forge.document(pcrs=forge.PCRS | registers)
    for document in (old, new):
        accept(document, policy=policy, mode=Archived(forge.NOW_MS + 1000))
    rejected = reject(RejectionCode.NO_POLICY_MATCHES, old, policy=policy, mode=Archived(forge.NOW_MS + 1001))
    assert "of 1.3, got" in rejected.actual
    early = forge.document(pcrs=forge.PCRS | registers, timestamp=forge.NOW_MS - 1)
    reject(RejectionCode.NO_POLICY_MATCHES, early, policy=policy)
    mixed = forge.document(pcrs=forge.PCRS | registers | {1: PINNED[1]})
    reject(RejectionCode.NO_POLICY_MATCHES, mixed, policy=policy)


def test_a_refusal_names_the_release() -> None:
    named = f"PCR17 {forge.pcr(17).hex()} of sound"
    for change, code in ((forge.pcr(9), RejectionCode.MEASUREMENT), (None, RejectionCode.MEASUREMENT_ABSENT)):
        pcrs = {index: value for index, value in (forge.PCRS | {17: change}).items() if value is not None}
        assert reject(code, forge.document(pcrs=pcrs), policy=SOUND).expected == named


@pytest.mark.parametrize("value", [EMPTY_APPLICATION_PCR2, forge.pcr(2)])
def test_an_empty_application_is_judged_like_any_other_where_nothing_is_pinned(value: bytes) -> None:
    accept(forge.document(pcrs=forge.PCRS | {2: value}), policy=UnsafeAnyMeasurement())


def test_accepts() -> None:
    document = forge.document()
    for policy in (SOUND, AnyOf([OTHER, SOUND]), AllOf([SOUND, UnsafeAnyMeasurement()])):
        accept(document, policy=policy)
    accept(document, policy=Measurements(without(3), any_parent_role=True))


def test_combinations_refuse() -> None:
    document = forge.document()
    reject(RejectionCode.MEASUREMENT, document, policy=OTHER)
    reject(RejectionCode.MEASUREMENT, document, policy=AnyOf([OTHER]))
    reject(RejectionCode.NO_POLICY_MATCHES, document, policy=AnyOf([OTHER, OTHER]))
    reject(RejectionCode.MEASUREMENT, document, policy=AllOf([SOUND, OTHER]))


def test_the_window_is_judged_at_the_modes_instant() -> None:
    window = Measurements(PINNED, "window", forge.NOW_MS, forge.NOW_MS + 1000)
    document = forge.document()
    for offset in (0, 1000):
        accept(document, policy=window, mode=Archived(forge.NOW_MS + offset))
    reject(RejectionCode.MEASUREMENT_WINDOW, document, policy=window, mode=Archived(forge.NOW_MS + 1001))
    early = forge.document(timestamp=forge.NOW_MS - 1)
    reject(RejectionCode.MEASUREMENT_WINDOW, early, policy=window)


def test_a_policy_does_not_change_with_the_mapping_that_made_it() -> None:
    pinned = dict(PINNED)
    measurements = Measurements(pinned)
    pinned[0] = forge.pcr(99)
    assert measurements.pcrs[0] == forge.pcr(0)
    with pytest.raises(TypeError):
        measurements.pcrs[0] = b""  # type: ignore[index]  # must fail


class Answers:
    """A policy that answers where it should raise."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def check(self, document: AttestationDocument, at_ms: int) -> Any:
        return self.answer


@pytest.mark.parametrize("answer", [False, True, 0, "no"])
@pytest.mark.parametrize(
    "wrap", [lambda policy: policy, lambda policy: AnyOf([policy]), lambda policy: AllOf([policy])]
)
def test_a_policy_that_answers_is_no_policy(answer: object, wrap: Callable[[Policy], Policy]) -> None:
    with pytest.raises(PolicyError, match="raises Rejected"):
        accept(forge.document(), policy=wrap(Answers(answer)))


@pytest.mark.parametrize(
    ("policy", "pinned"),
    [
        (SOUND, True),
        (UnsafeAnyMeasurement(), False),
        (AnyOf([SOUND, UnsafeAnyMeasurement()]), False),
        (AllOf([SOUND, UnsafeAnyMeasurement()]), True),
        (AllOf([UnsafeAnyMeasurement()]), False),
    ],
)
def test_a_verdict_says_whether_the_code_is_known(policy: Policy, pinned: bool) -> None:
    verified = accept(forge.document(), policy=policy)
    assert any("PCRs satisfied" in text for text in verified.proves) is pinned
    assert any("which code runs" in text for text in verified.does_not_prove) is not pinned


def full(*left_out: int) -> Measurements:
    return Measurements(without(*left_out), any_parent_role=3 in left_out)


@pytest.mark.parametrize(
    ("policy", "open_registers"),
    [
        (full(), set()),
        (full(3), {3}),
        (full(16), {16}),
        (full(17), {17}),
        (AnyOf([full(), full(3, 16)]), {3, 16}),
        (AllOf([full(3), PinnedPCRs({16: forge.pcr(16)})]), {3}),
        (PinnedPCRs({0: forge.pcr(0)}), {3, 16, 17}),
    ],
    ids=["all", "no role", "no models", "no configuration", "any of two", "all of two", "one register"],
)
def test_a_verdict_says_which_registers_may_hold_anything(policy: Policy, open_registers: set[int]) -> None:
    verified = accept(forge.document(), policy=policy)
    said = [text for text in verified.does_not_prove if "policy leaves" in text]
    assert [f"PCR{index}" in text for index, text in zip(sorted(open_registers), said, strict=True)] == [True] * len(
        said
    )


def test_a_register_that_nothing_extended_is_not_missed() -> None:
    unused = forge.document(pcrs=forge.PCRS | {16: bytes(48), 17: bytes(48)})
    assert not any("policy leaves" in text for text in accept(unused, policy=full(16, 17)).does_not_prove)
