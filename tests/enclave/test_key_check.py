"""The check of several keys: each asked about once, the weakest leg named, the first bad one named."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from attestation.compiler import compile_key_policy
from attestation.policy import Measurements
from enclave.boot.key_check import check_keys
from enclave.errors import KeyRefused
from enclave.kms.client import KMSClient
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.keys import KeyConfiguration, KeyList
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.protocol.suites import Suite
from strongroom.simulator.operator import PARENT_ROLE
from tests.enclave.deployment import ARN, IMAGE

SOUND: dict[str, object] = {
    "MultiRegion": False,
    "Origin": "AWS_KMS",
    "Enabled": True,
    "KeyState": "Enabled",
    "KeySpec": "SYMMETRIC_DEFAULT",
    "KeyUsage": "ENCRYPT_DECRYPT",
}
OFFERED = (KeyConfiguration(Suite.X25519, b"k" * 32),)
OTHER_ROLE = PARENT_ROLE + "-of-before"
EAST, WEST = "us-east-1", "us-west-2"


def arn(number: int, region: str = EAST) -> str:
    return ARN.replace(EAST, region)[:-1] + str(number)


def entry(entry_id: str, key_arn: str) -> KeyEntry:
    return KeyEntry(entry_id, "request", "demo", key_arn)


def policy_text(key_arn: str, **roles: Any) -> str:
    pcrs = {**IMAGE, 3: b"3" * 48, 16: b"4" * 48, 17: hashlib.sha384(key_arn.encode()).digest()}
    given = {"runtime_role_arn": PARENT_ROLE} | roles
    compiled = compile_key_policy(key_arn=key_arn, measurements=[Measurements(pcrs)], **given)
    return json.dumps(compiled, indent=3) + "\n"


@dataclass
class Region:
    """What KMSClient is to the check, for one region."""

    leg: KMSLeg = KMSLeg.HYBRID
    unsound: dict[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def describe_key(self, key_arn: str) -> tuple[dict[str, object], str, list[object]]:
        self.asked.append(key_arn)
        return {"Arn": key_arn, **SOUND, **self.unsound}, policy_text(key_arn), []


def check(regions: dict[str, Any], *entries: KeyEntry) -> KeyList:
    return check_keys(entries, lambda region: regions[region], PARENT_ROLE, OFFERED)


def test_the_digest_is_of_the_text_as_it_came() -> None:
    keys = check({EAST: Region()}, entry("one", arn(1)), entry("two", arn(2)))
    assert keys.configurations == OFFERED
    assert keys.key_policies == {
        "one": hashlib.sha384(policy_text(arn(1)).encode()).digest(),
        "two": hashlib.sha384(policy_text(arn(2)).encode()).digest(),
    }


def test_one_key_under_two_entries_is_asked_about_once_and_listed_twice() -> None:
    region = Region()
    keys = check({EAST: region}, entry("models", arn(1)), entry("requests", arn(1)))
    assert region.asked == [arn(1)]
    assert keys.key_policies["models"] == keys.key_policies["requests"]


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ((KMSLeg.HYBRID, KMSLeg.HYBRID), KMSLeg.HYBRID),
        ((KMSLeg.HYBRID, KMSLeg.CLASSICAL), KMSLeg.CLASSICAL),
        ((KMSLeg.CLASSICAL, KMSLeg.HYBRID), KMSLeg.CLASSICAL),
    ],
)
def test_the_leg_is_the_weakest_of_all_regions(legs: tuple[KMSLeg, KMSLeg], expected: KMSLeg) -> None:
    regions = dict(zip((EAST, WEST), map(Region, legs), strict=True))
    assert check(regions, entry("a", arn(1)), entry("b", arn(2, WEST))).kms_leg is expected


def test_the_role_of_the_configuration_may_not_change_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the policy releases the key to another role: the parent holds this one."""
    administered = policy_text(arn(1), administrator_arns=[PARENT_ROLE], runtime_role_arn=OTHER_ROLE)
    monkeypatch.setattr(Region, "describe_key", lambda _, key_arn: ({"Arn": key_arn, **SOUND}, administered, []))
    check_keys([entry("one", arn(1))], lambda _: cast(KMSClient, Region()), OTHER_ROLE, OFFERED)
    with pytest.raises(KeyRefused) as caught:
        check({EAST: Region()}, entry("one", arn(1)))
    assert caught.value.findings == ("policy-change-allowed",)


def test_a_bad_key_among_good_ones_is_named_with_each_finding_once() -> None:
    regions = {EAST: Region(), WEST: Region(unsound={"Enabled": False, "KeyState": "Disabled", "MultiRegion": True})}
    with pytest.raises(KeyRefused) as caught:
        check(regions, entry("good", arn(1)), entry("bad", arn(2, WEST)), entry("later", arn(3)))
    assert (caught.value.entry_id, caught.value.code) == ("bad", "key-policy")
    assert caught.value.findings == ("multi-region", "key-state")
    assert regions[EAST].asked == [arn(1)]
