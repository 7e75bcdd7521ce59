"""Everything that is not cryptography on data: judged here, carried out by moto."""

from collections.abc import Callable

from strongroom.simulator.kms.authorization import authorize, check_new_policy
from strongroom.simulator.kms.backend import Backend, without_nulls
from strongroom.simulator.kms.cryptographic import check_usable
from strongroom.simulator.kms.request import Answer, Request

ON_A_KEY = frozenset(
    {
        "CancelKeyDeletion",
        "CreateGrant",
        "DisableKey",
        "DisableKeyRotation",
        "EnableKey",
        "EnableKeyRotation",
        "GetKeyPolicy",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "ListKeyPolicies",
        "ListKeyRotations",
        "ListResourceTags",
        "ReplicateKey",
        "RevokeGrant",
        "RotateKeyOnDemand",
        "ScheduleKeyDeletion",
        "TagResource",
        "UntagResource",
        "UpdateKeyDescription",
    }
)
"""Operations whose `KeyId` names the key that has to allow them."""

USING_A_KEY = frozenset({"GenerateMac", "Sign", "Verify", "VerifyMac"})
"""The same, and the key has to be enabled."""

ON_THE_ACCOUNT = frozenset({"ListAliases", "ListKeys", "ListRetirableGrants"})
"""Operations that only IAM judges, and IAM allows everything here."""

_DEFAULTS: dict[str, object] = {
    "KeyUsage": "ENCRYPT_DECRYPT",
    "KeySpec": "SYMMETRIC_DEFAULT",
    "MultiRegion": False,
    "Origin": "AWS_KMS",
}


def create_key(backend: Backend, request: Request) -> Answer:
    """API_CreateKey."""
    policy = request.optional_text("Policy", most=131_072)
    if policy is not None:
        check_new_policy(request, policy)
    return backend.call("CreateKey", {**_DEFAULTS, **request.members})


def describe_key(backend: Backend, request: Request) -> Answer:
    """API_DescribeKey. Not moto's: that one takes any Deny for a Deny of this, whatever its conditions."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    return without_nulls(key.to_dict())


def put_key_policy(backend: Backend, request: Request) -> Answer:
    """API_PutKeyPolicy."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    policy = request.text("Policy", most=131_072)
    check_new_policy(request, policy)
    return backend.call("PutKeyPolicy", {"KeyId": key.id, "PolicyName": "default", "Policy": policy})


def set_alias(backend: Backend, request: Request) -> Answer:
    """API_CreateAlias and API_UpdateAlias."""
    key = backend.key(request.text("TargetKeyId"))
    authorize(request, key)
    return backend.call(request.operation, {"AliasName": request.text("AliasName"), "TargetKeyId": key.id})


def delete_alias(backend: Backend, request: Request) -> Answer:
    """API_DeleteAlias."""
    alias = request.text("AliasName")
    authorize(request, backend.key(alias))
    return backend.call("DeleteAlias", {"AliasName": alias})


def on_a_key(backend: Backend, request: Request) -> Answer:
    """Any of `ON_A_KEY`."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    return backend.call(request.operation, {"PolicyName": "default", **request.members, "KeyId": key.id})


def using_a_key(backend: Backend, request: Request) -> Answer:
    """Any of `USING_A_KEY`."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    check_usable(key)
    return backend.call(request.operation, {**request.members, "KeyId": key.id})


def on_the_account(backend: Backend, request: Request) -> Answer:
    """Any of `ON_THE_ACCOUNT`."""
    return backend.call(request.operation, request.members)


OPERATIONS: dict[str, Callable[[Backend, Request], Answer]] = {
    "CreateKey": create_key,
    "DescribeKey": describe_key,
    "PutKeyPolicy": put_key_policy,
    "CreateAlias": set_alias,
    "UpdateAlias": set_alias,
    "DeleteAlias": delete_alias,
    **dict.fromkeys(ON_A_KEY, on_a_key),
    **dict.fromkeys(USING_A_KEY, using_a_key),
    **dict.fromkeys(ON_THE_ACCOUNT, on_the_account),
}
