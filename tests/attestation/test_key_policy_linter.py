"""Keys that must not be trusted, one defect each."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from attestation.compiler import compile_key_policy
from attestation.key_policy.linter import lint_key
from attestation.key_policy.statements import matches
from attestation.policy import Measurements
from tests.attestation import forge

ROLE = "arn:aws:iam::111122223333:role/strongroom"
SESSION = "arn:aws:sts::111122223333:assumed-role/strongroom/i-0123456789abcdef0"
ADMIN = "arn:aws:iam::111122223333:role/administrator"
ROOT = "arn:aws:iam::111122223333:root"
KEY_ARN = "arn:aws:kms:eu-west-1:111122223333:key/11112222-3333-4444-5555-666677778888"
PCR = "kms:RecipientAttestation:PCR"
ZEROS = "0" * 96
PINNED = {index: forge.pcr(index) for index in (0, 1, 2, 3, 16, 17)}
BAD_VALUES: tuple[object, ...] = ("*", "ab*", "a" * 95 + "?", "", "a" * 95, "a" * 97, [], "${aws:PrincipalTag/pcr}")
SOUND_KEY: dict[str, object] = {
    "Arn": KEY_ARN,
    "MultiRegion": False,
    "Origin": "AWS_KMS",
    "Enabled": True,
    "KeyState": "Enabled",
    "KeySpec": "SYMMETRIC_DEFAULT",
    "KeyUsage": "ENCRYPT_DECRYPT",
}

Policy = dict[str, Any]
Change = Callable[[Policy], object]


def sound() -> Policy:
    return compile_key_policy(
        key_arn=KEY_ARN,
        administrator_arns=[ADMIN],
        runtime_role_arn=ROLE,
        measurements=[Measurements(PINNED)],
    )


def release(policy: Policy) -> Policy:
    return next(each for each in policy["Statement"] if each["Sid"] == "Release1")


def pinned(policy: Policy) -> dict[str, Any]:
    values: dict[str, Any] = release(policy)["Condition"]["StringEqualsIgnoreCase"]
    return values


def adding(**statement: Any) -> Change:
    """Add a statement, an Allow for a stranger unless it says otherwise."""
    defaults = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::444455556666:role/x"}, "Resource": "*"}
    if "NotPrincipal" in statement:
        del defaults["Principal"]
    return lambda policy: policy["Statement"].append(defaults | statement)


def with_operator(operator: str) -> Change:
    def change(policy: Policy) -> None:
        release(policy)["Condition"] = {operator: pinned(policy)}

    return change


def pinning(index: int, value: object) -> Change:
    return lambda policy: pinned(policy).update({f"{PCR}{index}": value})


def without_floor(*numbers: int) -> Change:
    def change(policy: Policy) -> None:
        gone = {f"FloorPCR{number}" for number in numbers}
        policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] not in gone]

    return change


def with_floor_operator(operator: str) -> Change:
    return lambda policy: floor(policy).update(Condition={operator: {f"{PCR}0": forge.pcr(0).hex()}})


def join_floors(policy: Policy) -> None:
    """Into one Deny that holds only where both differ."""
    floor(policy)["Condition"]["StringNotEqualsIgnoreCase"][f"{PCR}1"] = forge.pcr(1).hex()


def every_action_attested(policy: Policy) -> None:
    release(policy)["Action"] = "kms:*"


def pinning_other(name: str) -> Change:
    return lambda policy: pinned(policy).update({f"kms:RecipientAttestation:{name}": forge.pcr(4).hex()})


def releasing_also(*releases: int) -> Change:
    """Add the Allow of other releases, each with a PCR17 of its own."""

    def change(policy: Policy) -> None:
        for number in releases:
            added = deepcopy(release(policy))
            added["Condition"]["StringEqualsIgnoreCase"][f"{PCR}17"] = forge.pcr(number).hex()
            policy["Statement"].append(added)

    return change


def negate_floors_action(policy: Policy) -> None:
    floor(policy)["NotAction"] = floor(policy).pop("Action")


def floor(policy: Policy) -> Policy:
    return next(each for each in policy["Statement"] if each["Sid"] == "FloorPCR0")


def codes(severity: str, policy: Policy, runtime_role_arn: str | None = ROLE) -> set[str]:
    findings = lint_key(SOUND_KEY, policy, [], runtime_role_arn=runtime_role_arn)
    assert all(finding.explanation and finding.mend for finding in findings)
    return {finding.code for finding in findings if finding.severity == severity}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *(
            pytest.param(adding(Action=action), "unattested-release", id=f"allows {action}")
            for action in (
                *("*", "kms:*", "kms:Dec*", "kms:Decrypt", "KMS:DECRYPT", "kms:?ecrypt", "*:Decrypt", "kms:*t"),
                *("kms:ReEncrypt*", "kms:ReEncryptFrom", "kms:Re*From"),
            )
        ),
        pytest.param(adding(Action=["kms:DescribeKey", "kms:Decrypt"]), "unattested-release", id="in a list"),
        pytest.param(adding(Action="kms:*", Principal={"AWS": ROOT}), "unattested-release", id="the default policy"),
        *(
            pytest.param(
                lambda policy, index=index: pinned(policy).pop(f"{PCR}{index}"),
                "unattested-release",
                id=f"no PCR{index}",
            )
            for index in (0, 1, 2, 16, 17)
        ),
        pytest.param(lambda policy: release(policy).pop("Condition"), "unattested-release", id="no condition"),
        pytest.param(
            lambda policy: pinned(policy).update(
                {"kms:RecipientAttestation:NitroTPMPCR0": pinned(policy).pop(f"{PCR}0")}
            ),
            "unattested-release",
            id="NitroTPM's PCR0",
        ),
        *(
            pytest.param(with_operator(operator), "loose-operator", id=operator)
            for operator in (
                *("StringEqualsIfExists", "StringEqualsIgnoreCaseIfExists", "StringLikeIfExists"),
                *("ForAllValues:StringEquals", "ForAnyValue:StringEqualsIgnoreCase"),
                *("StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "Invented"),
            )
        ),
        pytest.param(with_operator("StringNotEquals"), "unattested-release", id="negated is no pin"),
        pytest.param(with_operator("ForAllValues:StringEquals"), "unattested-release", id="set is no pin"),
        pytest.param(pinning(0, ZEROS), "zero-measurement", id="zeros in Allow"),
        pytest.param(pinning(8, ZEROS), "zero-measurement", id="zeros in PCR8"),
        pytest.param(
            lambda policy: floor(policy)["Condition"]["StringNotEqualsIgnoreCase"][f"{PCR}0"].append(ZEROS),
            "zero-measurement",
            id="zeros in Deny",
        ),
        *(
            pytest.param(
                pinning(0, value),
                "bad-measurement",
                id=f"value {value!r:.12}",
            )
            for value in BAD_VALUES
        ),
        pytest.param(
            pinning(0, [forge.pcr(0).hex(), forge.pcr(9).hex()]),
            "mixed-tuples",
            id="several values in an Allow",
        ),
        pytest.param(adding(NotAction="kms:DescribeKey"), "negated-element", id="NotAction"),
        pytest.param(
            adding(Action="kms:DescribeKey", NotPrincipal={"AWS": ADMIN}), "negated-element", id="NotPrincipal"
        ),
        pytest.param(adding(NotAction="kms:DescribeKey"), "unattested-release", id="NotAction reaches Decrypt"),
        *(
            pytest.param(adding(Action=action, Principal=principal), code, id=f"{action} for {label}")
            for action, code in (
                ("kms:CreateGrant", "grants-allowed"),
                ("kms:Create*", "grants-allowed"),
                ("kms:PutKeyPolicy", "policy-change-allowed"),
                ("kms:Put*", "policy-change-allowed"),
            )
            for principal, label in (
                ({"AWS": ROLE}, "the role"),
                ({"AWS": [ADMIN, SESSION]}, "a session"),
                ({"AWS": "*"}, "everyone"),
                ("*", "*"),
                ({"AWS": "arn:aws:iam::111122223333:role/*"}, "a wildcard"),
                ({"AWS": "arn:aws:iam::444455556666:root"}, "another account"),
                ({"AWS": [ADMIN, "444455556666"]}, "another account's number"),
                ({"Service": "logs.amazonaws.com"}, "a service"),
                ({"Federated": "cognito-identity.amazonaws.com"}, "an identity provider"),
                ({"Federated": "arn:aws:iam::111122223333:saml-provider/x"}, "the account's SAML provider"),
                ({"AWS": "arn:aws:iam::111122223333:oidc-provider/x"}, "the account's OIDC provider"),
                ({"AWS": "arn:aws:iam::111122223333:role/stron?room"}, "a wildcard of one character"),
            )
        ),
        *(
            pytest.param(adding(Action="kms:CreateGrant", Principal={"AWS": principal}), "grants-allowed", id=label)
            for principal, label in ((ADMIN, "grants by an administrator"), (ROOT, "grants left to IAM"))
        ),
        *(
            pytest.param(adding(Action=action, Principal={"AWS": ROOT}), "every-action", id=f"root has {action}")
            for action in ("kms:*", "*", "kms:?*", "k*")
        ),
        pytest.param(every_action_attested, "every-action", id="kms:* under attestation"),
        *(
            pytest.param(with_floor_operator(operator), "loose-operator", id=f"{operator} in a Deny")
            for operator in (
                *("StringNotEqualsIfExists", "StringEqualsIfExists", "NullIfExists"),
                *("ForAnyValue:StringNotEquals", "ForAllValues:StringNotEqualsIgnoreCase", "Invented"),
            )
        ),
        pytest.param(join_floors, "joined-floor", id="two PCRs in one Deny"),
        pytest.param(lambda policy: policy.pop("Statement"), "unreadable-policy", id="no statements"),
        pytest.param(lambda policy: policy.update(statement=[]), "unreadable-policy", id="unknown beside Statement"),
        pytest.param(lambda policy: policy["Statement"].append("x"), "unreadable-policy", id="text"),
        pytest.param(adding(Action="kms:DescribeKey", Extra=1), "unreadable-policy", id="unknown element"),
        pytest.param(adding(Action=[1, None]), "unreadable-policy", id="action of numbers and null"),
        pytest.param(releasing_also(7, 8), "many-tuples", id="three"),
        pytest.param(
            lambda policy: pinned(policy).update({"KMS:recipientattestation:pcr0": forge.pcr(9).hex()}),
            "unreadable-policy",
            id="a key twice, in another case",
        ),
        pytest.param(
            lambda policy: release(policy)["Condition"].update(stringequalsignorecase={f"{PCR}0": forge.pcr(9).hex()}),
            "unreadable-policy",
            id="an operator and key twice, in another case",
        ),
        pytest.param(
            lambda policy: pinned(policy).update({"\u212ams:RecipientAttestation:PCR0": pinned(policy).pop(f"{PCR}0")}),
            "unattested-release",
            id="a key with a Kelvin sign",
        ),
        pytest.param(adding(Action="kms:X", Effect="allow"), "unreadable-policy", id="effect"),
        pytest.param(adding(), "unreadable-policy", id="no action"),
        pytest.param(adding(Action="kms:X", NotAction="kms:Y"), "unreadable-policy", id="both actions"),
        pytest.param(adding(Action="kms:X", Condition=["x"]), "unreadable-policy", id="condition as list"),
        pytest.param(adding(Action="kms:X", Condition={"Bool": 1}), "unreadable-policy", id="operator of 1"),
        pytest.param(adding(Action="kms:X", Principal={"AWS": {}}), "unreadable-policy", id="principal"),
    ],
)
def test_error(change: Change, code: str) -> None:
    policy = deepcopy(sound())
    change(policy)
    assert code in codes("error", policy)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *(pytest.param(without_floor(index), "no-floor", id=f"PCR{index}") for index in (0, 1, 2, 16, 17)),
        pytest.param(negate_floors_action, "no-floor", id="of everything but Decrypt"),
        pytest.param(lambda policy: floor(policy).update(Principal={"AWS": ROLE}), "no-floor", id="for one role"),
        pytest.param(lambda policy: floor(policy).update(Resource="arn:x"), "no-floor", id="for one resource"),
        pytest.param(lambda policy: floor(policy).update(Action="kms:Encrypt"), "no-floor", id="of Encrypt"),
        pytest.param(
            lambda policy: floor(policy)["Condition"].update({"Bool": {"aws:SecureTransport": "false"}}),
            "no-floor",
            id="joined by AND",
        ),
        pytest.param(lambda policy: pinned(policy).pop(f"{PCR}3"), "any-parent-role", id="no PCR3"),
        pytest.param(lambda policy: release(policy).update(Principal="*"), "any-principal", id="everyone decrypts"),
        pytest.param(adding(Effect="Deny", Action="*", NotPrincipal={"AWS": ADMIN}), "negated-element", id="sparing"),
        pytest.param(pinning_other("NitroTPMPCR4"), "other-attestation", id="NitroTPM beside"),
        pytest.param(
            adding(Action="kms:PutKeyPolicy", Principal={"AWS": ROOT}), "policy-change-allowed", id="left to IAM"
        ),
        pytest.param(lambda policy: None, "iam-unseen", id="always"),
    ],
)
def test_warning(change: Change, code: str) -> None:
    policy = deepcopy(sound())
    change(policy)
    assert code in codes("warning", policy)
    assert codes("error", policy) == set()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda policy: None, id="as compiled"),
        pytest.param(with_operator("StringEquals"), id="StringEquals"),
        pytest.param(with_operator("StringLike"), id="StringLike without wildcards"),
        pytest.param(
            lambda policy: pinned(policy).update(
                {"kms:RecipientAttestation:ImageSha384": pinned(policy).pop(f"{PCR}0")}
            ),
            id="ImageSha384 is PCR0",
        ),
        pytest.param(
            lambda policy: pinned(policy).update({"KMS:recipientattestation:pcr0": pinned(policy).pop(f"{PCR}0")}),
            id="keys in another case",
        ),
        pytest.param(
            lambda policy: release(policy)["Condition"].update({"Bool": {"aws:SecureTransport": True}}),
            id="a narrower condition",
        ),
        pytest.param(
            lambda policy: release(policy)["Condition"].update({"StringEquals": {"kms:EncryptionContext:m": "x"}}),
            id="an encryption context",
        ),
        pytest.param(adding(Action="kms:GenerateDataKey*"), id="data keys for a sealer"),
        pytest.param(adding(Effect="Deny", NotAction="kms:Decrypt"), id="a wide Deny"),
        pytest.param(
            adding(
                Effect="Deny",
                Principal="*",
                Action="kms:Decrypt",
                Condition={"StringNotEquals": {f"{PCR}{index}": forge.pcr(index).hex() for index in (0, 1)}},
            ),
            id="a joined Deny beside both floors",
        ),
        pytest.param(
            adding(
                Effect="Deny",
                Principal="*",
                Action="kms:Decrypt",
                Condition={"Null": {f"{PCR}0": "true"}},
            ),
            id="a Deny without a document",
        ),
        pytest.param(
            adding(Effect="Deny", Principal="*", Action="kms:Decrypt", Condition={"StringEquals": {f"{PCR}0": ZEROS}}),
            id="a Deny of debug enclaves by name",
        ),
        pytest.param(
            lambda policy: policy["Statement"].extend([release(policy), release(policy)]), id="one tuple, three times"
        ),
        pytest.param(pinning(0, [forge.pcr(0).hex()] * 2), id="one value, twice"),
        pytest.param(
            lambda policy: policy.update(Statement=[*policy["Statement"]], Id="x", Version="2012-10-17"), id="id"
        ),
    ],
)
def test_no_error(change: Change) -> None:
    policy = deepcopy(sound())
    change(policy)
    assert codes("error", policy) == set()
    assert codes("warning", policy) == {"iam-unseen"}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("MultiRegion", True, "multi-region"),
        ("MultiRegion", None, "multi-region"),
        ("Origin", "EXTERNAL", "key-origin"),
        ("Origin", "AWS_CLOUDHSM", "key-origin"),
        ("Enabled", False, "key-state"),
        ("KeyState", "PendingDeletion", "key-state"),
        ("KeySpec", "RSA_2048", "key-spec"),
        ("KeyUsage", "SIGN_VERIFY", "key-usage"),
    ],
)
def test_key_metadata(field: str, value: object, code: str) -> None:
    for description in (SOUND_KEY | {field: value}, {k: v for k, v in SOUND_KEY.items() if k != field}):
        findings = lint_key(description, sound(), [], runtime_role_arn=ROLE)
        assert code in {finding.code for finding in findings if finding.severity == "error"}


def test_any_grant_is_an_error() -> None:
    findings = lint_key(SOUND_KEY, sound(), [{"GrantId": "x"}], runtime_role_arn=ROLE)
    assert [finding.code for finding in findings if finding.severity == "error"] == ["grants"]


@pytest.mark.parametrize("principal", [ROLE, SESSION, ROLE.replace("role/", "role/path/")])
def test_a_role_that_may_decrypt_is_a_runtime_role_named_or_not(principal: str) -> None:
    policy = sound()
    adding(Action="kms:PutKeyPolicy", Principal={"AWS": principal})(policy)
    assert codes("error", policy, runtime_role_arn=None) == {"policy-change-allowed"}
    release(policy)["Principal"] = {"AWS": SESSION}
    assert codes("error", policy, runtime_role_arn=None) == {"policy-change-allowed"}
    release(policy)["Principal"] = {"AWS": ADMIN + "-2"}
    assert codes("error", policy, runtime_role_arn=None) == set()
    assert codes("error", policy) == {"policy-change-allowed"}


def test_without_the_keys_account_no_account_is_a_stranger() -> None:
    policy = sound()
    adding(Action="kms:PutKeyPolicy", Principal={"AWS": "arn:aws:iam::444455556666:role/x"})(policy)
    unknown = {name: value for name, value in SOUND_KEY.items() if name != "Arn"}
    assert [each.code for each in lint_key(unknown, policy, [])] == ["iam-unseen"]
    assert codes("error", policy) == {"policy-change-allowed"}


STRANGER = "444455556666"


@pytest.mark.parametrize(
    "principal",
    [
        {"AWS": f"arn:aws:iam::{STRANGER}:role/strongroom"},
        {"AWS": [ROLE, f"arn:aws:iam::{STRANGER}:user/x"]},
        {"AWS": f"arn:aws:sts::{STRANGER}:assumed-role/strongroom/i-0123456789abcdef0"},
        {"AWS": f"arn:aws:iam::{STRANGER}:root"},
        {"AWS": STRANGER},
    ],
)
def test_a_principal_that_cannot_read_the_policy_is_warned_of(principal: Policy) -> None:
    policy = sound()
    release(policy)["Principal"] = principal
    [finding] = [each for each in lint_key(SOUND_KEY, policy, []) if each.code == "foreign-decrypt"]
    assert finding.severity == "warning"
    assert STRANGER in finding.explanation
    assert codes("error", policy) == set()


@pytest.mark.parametrize("principal", [{"AWS": ROLE}, {"AWS": [SESSION, ROOT]}, {"AWS": "111122223333"}, "*"])
def test_a_principal_of_the_keys_account_is_not(principal: object) -> None:
    policy = sound()
    release(policy)["Principal"] = principal
    assert "foreign-decrypt" not in codes("warning", policy)


def test_nor_one_that_only_seals_nor_any_where_the_keys_account_is_unknown() -> None:
    policy = sound()
    adding(Action="kms:GenerateDataKey")(policy)
    assert codes("warning", policy) == {"iam-unseen"}
    release(policy)["Principal"] = {"AWS": STRANGER}
    assert "foreign-decrypt" in codes("warning", policy)
    unknown = {name: value for name, value in SOUND_KEY.items() if name != "Arn"}
    assert "foreign-decrypt" not in {each.code for each in lint_key(unknown, policy, [])}


def test_names_of_statements_are_cut() -> None:
    policy = sound()
    adding(Action="kms:Decrypt", Sid="x" * 9000)(policy)
    adding(Action="kms:Decrypt", Sid="x" * 9000, Principal={"AWS": f"arn:aws:iam::{STRANGER}:role/{'x' * 9000}"})(
        policy
    )
    assert all(len(finding.explanation) < 300 for finding in lint_key(SOUND_KEY, policy, []))


def test_a_single_statement_need_not_be_a_list() -> None:
    policy = sound() | {"Statement": release(sound())}
    assert codes("error", policy) == set()


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("*", "kms:decrypt", True),
        ("kms:*crypt", "kms:decrypt", True),
        ("kms:d?crypt", "kms:decrypt", True),
        ("kms:?", "kms:decrypt", False),
        ("kms:decrypt?", "kms:decrypt", False),
        ("kms:[d]ecrypt", "kms:decrypt", False),
        ("", "kms:decrypt", False),
        ("kms:decrypt*" + "*" * 10_000, "kms:decrypt", True),
        ("*a" * 10_000, "kms:decrypt", False),
    ],
)
def test_wildcards(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected
