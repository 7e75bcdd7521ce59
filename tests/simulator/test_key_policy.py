"""Key policies: strict parsing, who is named, and that a Deny wins."""

import itertools
import json

import pytest

from attestation.compiler import compile_key_policy
from attestation.policy import Measurements
from strongroom.simulator.conditions import PolicyError
from strongroom.simulator.key_policy import MAX_POLICY_BYTES, Caller, Decision, KeyPolicy

ACCOUNT = "000000000000"
KEY_ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/01234567-89ab-cdef-0123-456789abcdef"
ROOT = Caller.root_of(ACCOUNT)
ROLE = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/Enclave")
STRANGER = Caller("111111111111", "arn:aws:iam::111111111111:role/Enclave")


def statement(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def policy(*statements: object, **members: object) -> KeyPolicy:
    return KeyPolicy.from_json(json.dumps({"Version": "2012-10-17", "Statement": list(statements), **members}))


def decide(
    *statements: object,
    action: str = "kms:Decrypt",
    caller: Caller = ROLE,
    context: dict[str, tuple[str, ...]] | None = None,
    key_arn: str | None = KEY_ARN,
) -> Decision:
    return policy(*statements).decide(action, caller, context or {}, key_arn=key_arn)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        "[" * 100_000,
        '{"Statement": null}',
        '{"Statement": "all"}',
        '{"Version": "2012-10-17", "Statement": [], "Statement": []}',
        '{"Version": "2025-01-01", "Statement": []}',
        '{"Version": "2012-10-17", "Statement": [], "Comment": ""}',
        json.dumps({"Version": "2012-10-17", "Id": "x" * MAX_POLICY_BYTES, "Statement": []}),
    ],
)
def test_a_document_of_another_shape_is_refused(document: str) -> None:
    with pytest.raises(PolicyError):
        KeyPolicy.from_json(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"Effect": None},
        {"Effect": "allow"},
        {"Principal": None},
        {"Principal": "arn:aws:iam::000000000000:root"},
        {"Principal": {"AWS": []}},
        {"Principal": {"AWS": [1]}},
        {"Principal": {"AWS": "arn:aws:iam::000000000000:role/*"}},
        {"Principal": {"Federated": "x"}},
        {"NotPrincipal": {"AWS": "*"}},
        {"Principal": None, "NotPrincipal": {"AWS": "000000000000"}},
        {"Action": None},
        {"Action": []},
        {"Action": 1},
        {"NotAction": "kms:Encrypt"},
        {"Resource": []},
        {"NotResource": "*"},
        {"Condition": []},
        {"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2026-13-01"}}},
        {"Conditions": {}},
    ],
)
def test_a_statement_of_another_shape_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        policy(statement(**changes))


@pytest.mark.parametrize(
    ("principal", "named"),
    [
        ("*", {"root", "role", "stranger"}),
        ({"AWS": "*"}, {"root", "role", "stranger"}),
        ({"AWS": ACCOUNT}, {"root", "role"}),
        ({"AWS": ROOT.arn}, {"root", "role"}),
        ({"AWS": ROLE.arn}, {"role"}),
        ({"AWS": [ROLE.arn, STRANGER.arn]}, {"role", "stranger"}),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/Other"}, set()),
        ({"Service": "s3.amazonaws.com"}, set()),
    ],
)
def test_principals(principal: object, named: set[str]) -> None:
    callers = {"root": ROOT, "role": ROLE, "stranger": STRANGER}
    allowed = {
        name
        for name, caller in callers.items()
        if decide(statement(Principal=principal), caller=caller) is Decision.ALLOWED
    }
    assert allowed == named


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("kms:Decrypt", "kms:Decrypt", True),
        ("kms:decrypt", "kms:Decrypt", True),
        ("kms:*", "kms:Decrypt", True),
        ("*", "kms:Decrypt", True),
        ("kms:GenerateDataKey*", "kms:GenerateDataKeyWithoutPlaintext", True),
        ("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", False),
        ("kms:Describe?ey", "kms:DescribeKey", True),
        (["kms:Encrypt", "kms:Decrypt"], "kms:Decrypt", True),
        ("s3:*", "kms:Decrypt", False),
    ],
)
def test_actions(pattern: object, action: str, matches: bool) -> None:
    allowed = decide(statement(Action=pattern), action=action) is Decision.ALLOWED
    assert allowed is matches


@pytest.mark.parametrize(
    ("resource", "applies"),
    [
        ("*", True),
        (KEY_ARN, True),
        (["arn:aws:s3:::bucket", KEY_ARN], True),
        (f"arn:aws:kms:*:{ACCOUNT}:key/*", True),
        (KEY_ARN[:-1] + "0", False),
        (KEY_ARN.rpartition("/")[2], False),
        ("arn:aws:kms:eu-west-1:*", False),
        (None, False),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_statement_without_this_key_as_resource_has_no_effect(effect: str, resource: object, applies: bool) -> None:
    """A floor that forgets `Resource` denies nothing, and KMS takes the policy without a word."""
    decision = decide(statement(), statement(Effect=effect, Resource=resource, Action="kms:*"))
    assert (decision is Decision.DENIED) == (applies and effect == "Deny")
    assert (decide(statement(Resource=resource)) is Decision.ALLOWED) == applies


def test_a_key_that_is_not_made_yet_is_every_resource_but_none() -> None:
    assert decide(statement(Resource=KEY_ARN), key_arn=None) is Decision.ALLOWED
    assert decide(statement(Resource=None), key_arn=None) is Decision.NOT_ALLOWED


def test_not_action_and_not_principal() -> None:
    every_other = statement(Action=None, NotAction="kms:Decrypt")
    assert decide(every_other) is Decision.NOT_ALLOWED
    assert decide(every_other, action="kms:Encrypt") is Decision.ALLOWED
    all_but_role = statement(Effect="Deny", Principal=None, NotPrincipal={"AWS": ROLE.arn})
    assert decide(statement(), all_but_role) is Decision.ALLOWED
    assert decide(statement(), all_but_role, caller=STRANGER) is Decision.DENIED


def test_nothing_is_allowed_by_default() -> None:
    assert decide() is Decision.NOT_ALLOWED
    assert decide(statement(Effect="Deny", Action="kms:Encrypt")) is Decision.NOT_ALLOWED


@pytest.mark.parametrize("order", [1, -1])
def test_a_deny_wins_in_any_order(order: int) -> None:
    statements = [statement(), statement(Effect="Deny")][::order]
    assert decide(*statements) is Decision.DENIED


def test_a_single_statement_needs_no_list() -> None:
    document = json.dumps({"Statement": statement()})
    assert KeyPolicy.from_json(document).decide("kms:Decrypt", ROLE, {}, key_arn=KEY_ARN) is Decision.ALLOWED


def test_the_compilers_policy_admits_its_tuples_and_no_mix() -> None:
    """Review R12, on what `attestation.compiler` writes: two live releases, every mix of their registers."""
    names = {index: f"kms:recipientattestation:pcr{index}" for index in (0, 1, 2, 3, 16, 17)}
    releases = [{index: bytes([index, number]) * 24 for index in names} for number in (1, 2)]
    compiled = KeyPolicy.from_json(
        json.dumps(
            compile_key_policy(
                key_arn=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000",
                runtime_role_arn=ROLE.arn,
                measurements=[
                    Measurements(releases[0], not_before_ms=1_000_000, not_after_ms=2_000_000_000_000),
                    Measurements(releases[1]),
                ],
            )
        )
    )
    now = {"aws:currenttime": ("2026-05-01T12:00:00Z",), "kms:encryptioncontext:purpose": ("request",)}
    for mix in itertools.product(releases, repeat=len(names)):
        values = {name: (chosen[index].hex(),) for (index, name), chosen in zip(names.items(), mix, strict=True)}
        decision = compiled.decide("kms:Decrypt", ROLE, now | values)
        assert (decision is Decision.ALLOWED) == all(chosen is mix[0] for chosen in mix)
    assert compiled.decide("kms:Decrypt", ROLE, now) is Decision.DENIED
    assert compiled.decide("kms:Decrypt", ROOT, now) is Decision.DENIED


def test_only_the_listed_tuples_of_eight_pass() -> None:
    """2 images × 2 catalogues × 2 configurations: one Allow per tuple, one Deny per PCR as floor (review R12)."""
    names = ("kms:RecipientAttestation:PCR0", "kms:RecipientAttestation:PCR16", "kms:RecipientAttestation:PCR17")
    live = [("a", "a", "a"), ("b", "b", "b")]
    allows = [
        statement(Condition={"StringEqualsIgnoreCase": dict(zip(names, live_one, strict=True))}) for live_one in live
    ]
    floors = [statement(Effect="Deny", Condition={"StringNotEqualsIgnoreCase": {name: ["a", "b"]}}) for name in names]
    passed = [
        mix
        for mix in itertools.product("abc", repeat=3)
        if decide(*allows, *floors, context={name.lower(): (value,) for name, value in zip(names, mix, strict=True)})
        is Decision.ALLOWED
    ]
    assert passed == live
    assert decide(*allows, *floors) is Decision.DENIED
