"""The enclave judges its own keys in the boot: bad ones end it before anything is released or served (R11)."""

import copy
import gc
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from strongroom.protocol.keys import KeyList
from strongroom.protocol.kms_leg import KMSLeg
from strongroom.simulator.operator import PARENT_ROLE
from tests.enclave.boot_world import ROOT, BootWorld, Members, Policy, boot_world

FOREIGN_ROLE = PARENT_ROLE.replace("000000000000", "111111111111")
GRANT: Members = {"GrantId": "g" * 64, "Operations": ["Decrypt"], "GranteePrincipal": ROOT}
OPEN: Members = {"Effect": "Allow", "Principal": {"AWS": PARENT_ROLE}, "Action": "kms:Decrypt", "Resource": "*"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tensor_dir: Path) -> Iterator[BootWorld]:
    with boot_world(tmp_path_factory.mktemp("boot"), tensor_dir) as world:
        yield world
    gc.collect()


def add(**statement: Any) -> Callable[[Policy], None]:
    return lambda policy: policy["Statement"].append({**OPEN, **statement})


def named(policy: Policy, sid: str) -> Members:
    statements: list[Members] = policy["Statement"]
    return next(statement for statement in statements if statement["Sid"] == sid)


def drop_conditions(policy: Policy) -> None:
    del named(policy, "Release1")["Condition"]


def pin_zeros(policy: Policy) -> None:
    named(policy, "Release1")["Condition"]["StringEqualsIgnoreCase"]["kms:RecipientAttestation:PCR0"] = "0" * 96


def three_releases(policy: Policy) -> None:
    for number in (2, 3):
        other = copy.deepcopy(named(policy, "Release1")) | {"Sid": f"Release{number}"}
        other["Condition"]["StringEqualsIgnoreCase"]["kms:RecipientAttestation:PCR0"] = f"{number:02}" * 48
        policy["Statement"].append(other)


def loosen(policy: Policy) -> None:
    conditions = named(policy, "Release1")["Condition"]
    conditions["StringEqualsIgnoreCaseIfExists"] = conditions.pop("StringEqualsIgnoreCase")


IMAGE_SHA384 = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": "ab" * 48}}


@dataclass(frozen=True)
class BadKey:
    """How a key differs from a sound one, and the finding or, if KMS itself stood in the way, the code of the end."""

    finding: str
    create: Members = field(default_factory=dict)
    policy: Callable[[Policy], None] | None = None
    operate: Callable[[Any, str], object] | None = None
    lies: dict[str, Members] = field(default_factory=dict)
    ended: str = "key-policy"
    role: str = PARENT_ROLE

    def make(self, world: BootWorld) -> str:
        """Make it, and give its ARN."""
        arn: str = world.operator.create_key(**self.create)["KeyMetadata"]["Arn"]
        policy = world.sound_policy(arn)
        if self.policy is not None:
            self.policy(policy)
        if self.operate is not None:
            self.operate(world.operator, arn)
        world.put(arn, policy)
        world.kms.lies = self.lies
        return arn


def metadata(**members: Any) -> dict[str, Members]:
    return {"DescribeKey": {"KeyMetadata": members}}


def text(policy: str) -> dict[str, Members]:
    return {"GetKeyPolicy": {"Policy": policy}}


def allow_all_but_one(policy: Policy) -> None:
    statement = named(policy, "SelfCheck")
    statement["NotAction"] = ["kms:CreateGrant", "kms:Decrypt", "kms:PutKeyPolicy", "kms:ReEncrypt*"]
    del statement["Action"]


def give_the_role_to_another_account(policy: Policy) -> None:
    for sid in ("SelfCheck", "Release1"):
        named(policy, sid)["Principal"] = {"AWS": [FOREIGN_ROLE]}


BAD_KEYS: dict[str, BadKey] = {
    "multi-Region": BadKey("multi-region", create={"MultiRegion": True}),
    "imported key material": BadKey("key-origin", create={"Origin": "EXTERNAL"}),
    "in a CloudHSM cluster": BadKey("key-origin", lies=metadata(Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-1")),
    "in an external key store": BadKey("key-origin", lies=metadata(Origin="EXTERNAL_KEY_STORE")),
    "disabled": BadKey("key-state", operate=lambda kms, arn: kms.disable_key(KeyId=arn)),
    "pending deletion": BadKey(
        "key-state", operate=lambda kms, arn: kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    ),
    "an RSA key": BadKey("key-spec", create={"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}),
    "a key for signatures": BadKey("key-usage", create={"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}),
    "one grant": BadKey(
        "grants",
        operate=lambda kms, arn: kms.create_grant(KeyId=arn, GranteePrincipal=FOREIGN_ROLE, Operations=["Decrypt"]),
    ),
    "a list of grants that goes on": BadKey("grants", lies={"ListGrants": {"Grants": [GRANT], "Truncated": True}}),
    "a list of grants that only goes on": BadKey(
        "", lies={"ListGrants": {"Grants": [], "Truncated": True}}, ended="kms-bad-answer"
    ),
    "an unconditional Allow": BadKey("unattested-release", policy=drop_conditions),
    "an unconditional Allow beside the sound one": BadKey("unattested-release", policy=add()),
    "root with kms:*": BadKey("every-action", policy=add(Principal={"AWS": ROOT}, Action="kms:*")),
    "PutKeyPolicy for the runtime role": BadKey("policy-change-allowed", policy=add(Action="kms:PutKeyPolicy")),
    "CreateGrant": BadKey("grants-allowed", policy=add(Principal={"AWS": ROOT}, Action="kms:CreateGrant")),
    "ReEncryptFrom": BadKey("unattested-release", policy=add(Principal={"AWS": ROOT}, Action="kms:ReEncryptFrom")),
    "zeros": BadKey("zero-measurement", policy=pin_zeros),
    "everyone with ImageSha384 alone": BadKey("unattested-release", policy=add(Principal="*", Condition=IMAGE_SHA384)),
    "IfExists": BadKey("loose-operator", policy=loosen),
    "NotAction in an Allow": BadKey("negated-element", policy=allow_all_but_one),
    "three releases": BadKey("many-tuples", policy=three_releases),
    "a name given twice": BadKey("unreadable-policy", lies=text('{"Id": "a", "Id": "b"}')),
    "no JSON": BadKey("unreadable-policy", lies=text("\ud800")),
    "a policy beyond KMS's limit": BadKey("unreadable-policy", lies=text("{}".ljust(33 << 10))),
    "another key's description": BadKey("", lies=metadata(Arn="arn:aws:kms:us-east-1:0:key/1"), ended="kms-wrong-key"),
    "a runtime role of another account": BadKey(
        "", policy=give_the_role_to_another_account, role=FOREIGN_ROLE, ended="kms-access-denied"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_KEYS)
async def test_a_bad_key_ends_the_enclave_and_the_log_says_why(world: BootWorld, name: str) -> None:
    bad = BAD_KEYS[name]
    arn = bad.make(world)
    ended = await world.boot(arn, role=bad.role)
    found = [line["code"] for line in ended.log if line["event"] == "key-refused" and line["key"] == "models"]
    assert bad.finding in found or (not bad.finding and not found)
    assert ended.codes == [bad.ended]
    assert [line["state"] for line in ended.log if line["event"] == "state"] == ["configured", "catalogued"]
    assert ended.keys is None
    assert "DescribeKey" in ended.operations
    assert "Decrypt" not in ended.operations


async def test_a_good_key_is_released_and_its_policys_digest_is_served(world: BootWorld) -> None:
    arn = BadKey("").make(world)
    ended = await world.boot(arn, world.seal(arn))
    assert [line["event"] for line in ended.log if line["event"] not in ("state", "credentials")] == []
    assert ended.log[-1] == {"event": "state", "state": "ready"}
    assert ended.codes == []
    assert ended.operations == ["DescribeKey", "GetKeyPolicy", "ListGrants", "Decrypt"]
    held = world.operator.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
    assert ended.keys is not None
    keys = KeyList.from_bytes(ended.keys)
    assert keys.key_policies == {"models": hashlib.sha384(held.encode()).digest()}
    assert keys.kms_leg is KMSLeg.CLASSICAL  # as the configuration allows
