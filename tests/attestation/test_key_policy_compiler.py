"""Compiled key policies: what they let through, judged by a small model of KMS."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from attestation.compiler import compile_key_policy
from attestation.errors import PolicyError
from attestation.key_policy.linter import lint_key
from attestation.policy import Measurements
from tests.attestation import forge, kms
from tests.attestation.test_key_policy_linter import SOUND_KEY

ACCOUNT = "111122223333"
KEY_ARN = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/11112222-3333-4444-5555-666677778888"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/administrator"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/strongroom"
SEALER = "arn:aws:iam::444455556666:role/data-owner"
IMAGE, CATALOGUE, CONFIGURATION = (0, 1, 2), (16,), (17,)


def pcrs(image: int = 0, catalogue: int = 0, configuration: int = 0) -> dict[int, bytes]:
    groups = ((IMAGE, image), (CATALOGUE, catalogue), (CONFIGURATION, configuration))
    chosen = {index: forge.pcr(index + 100 * release) for group, release in groups for index in group}
    return chosen | {3: forge.pcr(3)}


ONE, TWO = Measurements(pcrs(0, 0, 0), "one"), Measurements(pcrs(1, 1, 1), "two")


def compiled(*measurements: Measurements, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "key_arn": KEY_ARN,
        "administrator_arns": [ADMIN],
        "runtime_role_arn": ROLE,
        "sealer_arns": [SEALER],
    }
    return compile_key_policy(**(arguments | changes), measurements=measurements or (ONE, TWO))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"administrator_arns": ["*"]}, id="everyone administers"),
        pytest.param({"administrator_arns": [f"arn:aws:iam::{ACCOUNT}:role/*"]}, id="wildcard"),
        pytest.param({"administrator_arns": [SEALER]}, id="administrator of another account"),
        pytest.param({"administrator_arns": [ROLE]}, id="runtime role administers"),
        pytest.param({"administrator_arns": [ROLE.replace("role/", "role/x/")]}, id="runtime role under a path"),
        pytest.param({"runtime_role_arn": "*"}, id="every role"),
        pytest.param({"runtime_role_arn": f"arn:aws:iam::{ACCOUNT}:root"}, id="whole account"),
        pytest.param({"runtime_role_arn": f"arn:aws:iam::{ACCOUNT}:user/x"}, id="a user"),
        pytest.param({"runtime_role_arn": ROLE.replace("aws:", "aws-cn:")}, id="another partition"),
        pytest.param({"runtime_role_arn": SEALER}, id="runtime role of another account"),
        pytest.param({"sealer_arns": ["*"]}, id="everyone seals"),
        pytest.param({"key_arn": KEY_ARN.replace(ACCOUNT, "1")}, id="no account"),
        pytest.param({"key_arn": KEY_ARN.replace("key/", "alias/")}, id="an alias"),
        pytest.param({"key_arn": KEY_ARN.replace("key/", "key/mrk-")}, id="a multi-Region key"),
        pytest.param({"key_arn": "11112222-3333-4444-5555-666677778888"}, id="a bare key id"),
        pytest.param({"key_arn": KEY_ARN + "\n"}, id="a line end"),
        pytest.param({"purposes": []}, id="no purpose"),
        pytest.param({"purposes": ["model", "any"]}, id="another purpose"),
    ],
)
def test_refuses_principals(changes: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        compiled(**changes)


@pytest.mark.parametrize("foreign", [SEALER, ROLE.replace("aws:", "aws-us-gov:")])
def test_a_runtime_role_that_could_never_read_the_policy_is_named_with_the_way_out(foreign: str) -> None:
    with pytest.raises(PolicyError) as refused:
        compiled(runtime_role_arn=foreign)
    for part in (f"expected arn:aws:iam::{ACCOUNT}:role/", f"got '{foreign}'", "create a role in the key's account"):
        assert part in str(refused.value)


def test_refuses_none_or_three_tuples_and_incomplete_ones() -> None:
    three = Measurements(pcrs(2, 2, 2))
    for listed in ((), (ONE, TWO, three)):
        with pytest.raises(PolicyError):
            compile_key_policy(key_arn=KEY_ARN, runtime_role_arn=ROLE, measurements=listed)
    for missing in (16, 17):
        incomplete = {index: value for index, value in pcrs().items() if index != missing}
        with pytest.raises(PolicyError, match=f"PCR{missing}"):
            compiled(Measurements(incomplete))


def test_refuses_a_policy_that_kms_would_not_take() -> None:
    sealers = [f"arn:aws:iam::444455556666:role/{'x' * 60}{number}" for number in range(400)]
    with pytest.raises(PolicyError, match="32768"):
        compiled(sealer_arns=sealers)


def test_the_bytes_that_are_printed_count() -> None:
    sizes = []
    for count in range(100, 300):
        sealers = [f"arn:aws:iam::444455556666:role/{'x' * 50}{number}" for number in range(count)]
        with suppress(PolicyError):
            sizes.append(len(json.dumps(compiled(sealer_arns=sealers), indent=2)))
    assert len(sizes) < 200
    assert 32_000 < max(sizes) <= 32_768


@pytest.mark.parametrize(("image", "catalogue", "configuration"), list(product((0, 1), repeat=3)))
def test_only_whole_tuples_decrypt(image: int, catalogue: int, configuration: int) -> None:
    context = kms.enclave(pcrs(image, catalogue, configuration))
    whole = image == catalogue == configuration
    assert kms.allows(compiled(), ROLE, "kms:Decrypt", context) is whole


def test_other_documents_roles_and_actions_are_refused() -> None:
    policy, right = compiled(), kms.enclave(pcrs())
    assert kms.allows(policy, ROLE, "kms:Decrypt", right)
    assert not kms.allows(policy, ROLE, "kms:Decrypt", {})
    assert not kms.allows(policy, ROLE, "kms:Decrypt", kms.enclave({index: bytes(48) for index in pcrs()}))
    assert not kms.allows(policy, ROLE, "kms:Decrypt", kms.enclave(pcrs() | {3: forge.pcr(99)}))
    for stranger in (ADMIN, SEALER):
        assert not kms.allows(policy, stranger, "kms:Decrypt", right)
    for action in ("kms:ReEncryptFrom", "kms:CreateGrant", "kms:PutKeyPolicy", "kms:GenerateDataKey"):
        assert not kms.allows(policy, ROLE, action, right)
    for action in ("kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:CreateGrant"):
        assert not kms.allows(policy, ADMIN, action, right)
    assert kms.allows(policy, ADMIN, "kms:PutKeyPolicy", {})
    assert kms.allows(policy, SEALER, "kms:GenerateDataKey", kms.sealing("model"))
    assert kms.allows(policy, SEALER, "kms:DescribeKey", {})
    for action in ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"):
        assert kms.allows(policy, ROLE, action, {})


@pytest.mark.parametrize(
    ("purposes", "expected"),
    [
        ({}, {"model", "request"}),
        ({"purposes": ["model"]}, {"model"}),
        ({"purposes": ["request"]}, {"request"}),
    ],
)
def test_purposes_are_separate(purposes: dict[str, Any], expected: set[str]) -> None:
    policy = compiled(**purposes)
    for purpose in ("model", "request", "Model", "", "any"):
        assert kms.allows(policy, ROLE, "kms:Decrypt", kms.enclave(pcrs(), purpose)) is (purpose in expected)
        for action in ("kms:GenerateDataKey", "kms:Encrypt"):
            assert kms.allows(policy, SEALER, action, kms.sealing(purpose)) is (purpose in expected)
    without = {name: value for name, value in kms.enclave(pcrs()).items() if "Attestation" in name}
    assert not kms.allows(policy, ROLE, "kms:Decrypt", without)


def test_without_administrators_the_accounts_root_manages_and_never_decrypts() -> None:
    policy = compiled(administrator_arns=[])
    for action in ("kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:DescribeKey", "kms:ScheduleKeyDeletion"):
        assert kms.allows(policy, ROOT, action, {})
    for action in ("Decrypt", "ReEncryptFrom", "ReEncryptTo", "CreateGrant", "GenerateDataKey", "Encrypt"):
        assert not kms.allows(policy, ROOT, f"kms:{action}", kms.enclave(pcrs()))
    findings = lint_key(SOUND_KEY, policy, [], runtime_role_arn=ROLE)
    assert [(each.severity, each.code) for each in findings] == [
        ("warning", "policy-change-allowed"),
        ("warning", "iam-unseen"),
    ]


def test_the_partition_is_the_keys() -> None:
    china = {"key_arn": KEY_ARN.replace("aws:", "aws-cn:"), "runtime_role_arn": ROLE.replace("aws:", "aws-cn:")}
    policy = compiled(**china, administrator_arns=[], sealer_arns=[])
    assert policy["Statement"][0]["Principal"]["AWS"] == [ROOT.replace("aws:", "aws-cn:")]


def test_the_floor_holds_against_an_allow_added_later() -> None:
    policy = compiled()
    policy["Statement"].append(
        {"Effect": "Allow", "Principal": {"AWS": [SEALER]}, "Action": ["kms:*"], "Resource": "*"}
    )
    for context in ({}, kms.enclave(pcrs() | {0: bytes(48)}), kms.enclave(pcrs() | {17: forge.pcr(99)})):
        assert not kms.allows(policy, SEALER, "kms:Decrypt", context)
    assert not kms.allows(policy, SEALER, "kms:ReEncryptFrom", kms.enclave({}))


def test_windows_become_date_conditions_rounded_inwards() -> None:
    policy = compiled(Measurements(pcrs(), "window", 1_000_500, 2_000_500))
    for now, expected in [
        ("1970-01-01T00:16:40Z", False),
        ("1970-01-01T00:16:41Z", True),
        ("1970-01-01T00:33:20Z", True),
        ("1970-01-01T00:33:21Z", False),
    ]:
        context = kms.enclave(pcrs()) | {"aws:CurrentTime": now}
        assert kms.allows(policy, ROLE, "kms:Decrypt", context) is expected


def test_a_pcr_that_only_one_tuple_pins_is_no_floor() -> None:
    loose = {index: value for index, value in pcrs(1, 1, 1).items() if index != 3}
    policy = compiled(ONE, Measurements(loose, "loose", any_parent_role=True))
    assert "FloorPCR3" not in [statement["Sid"] for statement in policy["Statement"]]
    assert kms.allows(policy, ROLE, "kms:Decrypt", kms.enclave(pcrs(1, 1, 1) | {3: forge.pcr(99)}))


@pytest.mark.parametrize(
    "measurements",
    [
        pytest.param((ONE,), id="one"),
        pytest.param((ONE, TWO), id="two"),
        pytest.param((Measurements(pcrs(), "window", 1, 2_000_000),), id="window"),
    ],
)
def test_a_compiled_policy_has_no_findings_but_iam(measurements: tuple[Measurements, ...]) -> None:
    for sealers in ([], [SEALER]):
        policy = compiled(*measurements, sealer_arns=sealers)
        findings = lint_key(SOUND_KEY, policy, [], runtime_role_arn=ROLE)
        assert [finding.code for finding in findings] == ["iam-unseen"]
