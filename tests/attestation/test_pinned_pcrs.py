"""Single registers pinned by hand (rule 30): each present and equal, and never pins that pin nothing."""

from __future__ import annotations

import pytest

from attestation.errors import PolicyError, Rejected, RejectionCode
from attestation.measurements import EMPTY_APPLICATION_PCR2, parent_role_pcr3
from attestation.policy import AllOf, Measurements, PinnedPCRs
from tests.attestation import forge
from tests.attestation.judge import accept, reject

ROLE = "arn:aws:iam::111122223333:role/strongroom"
PINS = {0: forge.pcr(0), 3: forge.pcr(3), 17: forge.pcr(17)}
TPM = forge.pki(forge.TPM_MODULE_ID)


def tpm_document(pcrs: dict[int, bytes]) -> bytes:
    return forge.document(TPM, module_id=forge.TPM_MODULE_ID, pcrs=..., nitrotpm_pcrs=pcrs)


@pytest.mark.parametrize("index", [0, 8, *range(16, 32)])
def test_one_register_that_says_what_runs_is_enough(index: int) -> None:
    document = forge.document(pcrs=forge.PCRS | {index: forge.pcr(index)})
    verified = accept(document, policy=PinnedPCRs({index: forge.pcr(index)}))
    assert any("PCRs satisfied" in text for text in verified.proves)
    assert not any("which code runs" in text for text in verified.does_not_prove)


@pytest.mark.parametrize("index", sorted(PINS))
def test_refuses_another_or_an_absent_pcr(index: int) -> None:
    another = forge.document(pcrs=forge.PCRS | {index: forge.pcr(99)})
    rejected = reject(RejectionCode.MEASUREMENT, another, policy=PinnedPCRs(PINS))
    assert rejected.expected == f"PCR{index} {forge.pcr(index).hex()}"
    assert rejected.actual == forge.pcr(99).hex()
    absent = forge.document(pcrs={key: value for key, value in forge.PCRS.items() if key != index})
    with pytest.raises(Rejected) as caught:
        accept(absent, policy=PinnedPCRs(PINS), allow_debug=True)
    assert caught.value.code is RejectionCode.MEASUREMENT_ABSENT


@pytest.mark.parametrize(
    ("pcrs", "kind"),
    [
        pytest.param({}, "enclave", id="none"),
        pytest.param({}, "nitrotpm", id="none of a TPM"),
        pytest.param({0: bytes(48)}, "enclave", id="zeros"),
        pytest.param({0: forge.pcr(0), 17: bytes(48)}, "enclave", id="zeros beside another"),
        pytest.param({7: bytes(48)}, "nitrotpm", id="zeros of a TPM"),
        pytest.param({0: forge.pcr(0), 32: forge.pcr(32)}, "enclave", id="PCR32"),
        pytest.param({0: forge.pcr(0), -1: forge.pcr(1)}, "enclave", id="PCR-1"),
        pytest.param({24: forge.pcr(24)}, "nitrotpm", id="PCR24 of a TPM"),
        pytest.param({False: forge.pcr(0)}, "enclave", id="index false"),
        pytest.param({"0": forge.pcr(0)}, "enclave", id="index as text"),
        pytest.param({0: forge.pcr(0)[:32]}, "enclave", id="32 bytes"),
        pytest.param({0: forge.pcr(0).hex()}, "enclave", id="text"),
        pytest.param({0: forge.pcr(0), 2: EMPTY_APPLICATION_PCR2}, "enclave", id="empty application"),
        pytest.param({3: parent_role_pcr3(ROLE)}, "enclave", id="a role alone"),
        pytest.param({3: forge.pcr(3), 4: forge.pcr(4)}, "enclave", id="who runs it, not what"),
        pytest.param({1: forge.pcr(1)}, "enclave", id="a kernel alone"),
        pytest.param({0: forge.pcr(0)}, "tpm", id="unknown kind"),
    ],
)
def test_refuses_unusable_pins(pcrs: dict[int, bytes], kind: str) -> None:
    with pytest.raises(PolicyError):
        PinnedPCRs(pcrs, kind)


def test_a_document_of_the_other_kind_satisfies_no_pins() -> None:
    document = tpm_document({0: forge.pcr(0)})
    reject(RejectionCode.MEASUREMENT, document, policy=PinnedPCRs({0: forge.pcr(0)}), chain=TPM, kind="nitrotpm")
    reject(RejectionCode.MEASUREMENT, forge.document(), policy=PinnedPCRs({0: forge.pcr(0)}, "nitrotpm"))


@pytest.mark.parametrize("pins", [{4: forge.pcr(4)}, {2: EMPTY_APPLICATION_PCR2}, {23: forge.pcr(23)}])
def test_a_tpm_gives_its_registers_other_meanings(pins: dict[int, bytes]) -> None:
    accept(tpm_document(pins), policy=PinnedPCRs(pins, "nitrotpm"), chain=TPM, kind="nitrotpm")


def test_pins_and_a_tuple_must_both_hold() -> None:
    release = Measurements({index: forge.pcr(index) for index in range(4)})
    accept(forge.document(), policy=AllOf([release, PinnedPCRs(PINS)]))
    reject(
        RejectionCode.MEASUREMENT,
        forge.document(pcrs=forge.PCRS | {17: forge.pcr(99)}),
        policy=AllOf([release, PinnedPCRs(PINS)]),
    )


def test_pins_do_not_change_with_the_mapping_that_made_them() -> None:
    pins = dict(PINS)
    policy = PinnedPCRs(pins)
    pins[0] = forge.pcr(99)
    accept(forge.document(), policy=policy)
