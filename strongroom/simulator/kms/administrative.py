"""Everything that is not cryptography on data: judged here, carried out by moto."""

from collections.abc import Callable

from strongroom.simulator.kms.authorization import authorize, check_new_policy
from strongroom.simulator.kms.backend import Backend, without_nulls
from strongroom.simulator.kms.errors import KMSError
from strongroom.simulator.kms.grants import retire_grant
from strongroom.simulator.kms.request import Answer, Request
from strongroom.simulator.kms.steps import SYMMETRIC, check_usable

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

NOT_OFFERED = frozenset(
    {
        "ConnectCustomKeyStore",
        "CreateCustomKeyStore",
        "Decapsulate",
        "DeleteCustomKeyStore",
        "DeleteImportedKeyMaterial",
        "DescribeCustomKeyStores",
        "DisconnectCustomKeyStore",
        "Encapsulate",
        "GetKeyLastUsage",
        "GetParametersForImport",
        "ImportKeyMaterial",
        "UpdateCustomKeyStore",
        "UpdatePrimaryRegion",
    }
)
"""The rest of KMS: moto does not have them either."""

_DEFAULTS: dict[str, object] = {
    "KeyUsage": "ENCRYPT_DECRYPT",
    "MultiRegion": False,
    "Origin": "AWS_KMS",
}


def create_key(backend: Backend, request: Request) -> Answer:
    """API_CreateKey."""
    policy = request.optional_text("Policy", most=131_072)
    if policy is not None:
        check_new_policy(request, policy)
    spec = request.optional_text("CustomerMasterKeySpec") or SYMMETRIC  # the old name of KeySpec
    members = {**_DEFAULTS, "KeySpec": spec, **without_nulls(dict(request.members))}
    return _described(backend.call("CreateKey", members))


def describe_key(backend: Backend, request: Request) -> Answer:
    """API_DescribeKey. Not moto's: that one takes any Deny for a Deny of this, whatever its conditions."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    return _described(without_nulls(key.to_dict()))


def put_key_policy(backend: Backend, request: Request) -> Answer:
    """API_PutKeyPolicy."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    policy = request.text("Policy", most=131_072)
    check_new_policy(request, policy, key_arn=key.arn)
    return backend.call("PutKeyPolicy", {"PolicyName": "default", "Policy": policy}, on=key)


def set_alias(backend: Backend, request: Request) -> Answer:
    """API_CreateAlias and API_UpdateAlias."""
    key = backend.key(request.text("TargetKeyId"))
    authorize(request, key)
    alias = {"AliasName": request.text("AliasName"), "TargetKeyId": key.id}
    return backend.call(request.operation, alias, on=key)


def delete_alias(backend: Backend, request: Request) -> Answer:
    """API_DeleteAlias."""
    alias = request.text("AliasName")
    key = backend.key(alias)
    authorize(request, key)
    return backend.call("DeleteAlias", {"AliasName": alias}, on=key)


def on_a_key(backend: Backend, request: Request) -> Answer:
    """Any of `ON_A_KEY`."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    return backend.call(request.operation, {"PolicyName": "default", **request.members}, on=key)


def using_a_key(backend: Backend, request: Request) -> Answer:
    """Any of `USING_A_KEY`."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    check_usable(key)
    return backend.call(request.operation, request.members, on=key) | {"KeyId": key.arn}


def get_public_key(backend: Backend, request: Request) -> Answer:
    """API_GetPublicKey. moto has a public key for every key, also for those that are one secret."""
    key = backend.key(request.text("KeyId"))
    authorize(request, key)
    if key.key_spec == SYMMETRIC or key.key_spec.startswith("HMAC"):
        raise KMSError("UnsupportedOperationException", f"{key.arn} has no public key.")
    check_usable(key)
    return backend.call(request.operation, request.members, on=key) | {"KeyId": key.arn}


def on_the_account(backend: Backend, request: Request) -> Answer:
    """Any of `ON_THE_ACCOUNT`."""
    return backend.call(request.operation, request.members)


def not_offered(backend: Backend, request: Request) -> Answer:
    """Any of `NOT_OFFERED`."""
    raise KMSError("UnsupportedOperationException", f"the simulator has no {request.operation}")


OPERATIONS: dict[str, Callable[[Backend, Request], Answer]] = {
    "CreateKey": create_key,
    "DescribeKey": describe_key,
    "PutKeyPolicy": put_key_policy,
    "CreateAlias": set_alias,
    "UpdateAlias": set_alias,
    "DeleteAlias": delete_alias,
    "RetireGrant": retire_grant,
    "GetPublicKey": get_public_key,
    **dict.fromkeys(ON_A_KEY, on_a_key),
    **dict.fromkeys(USING_A_KEY, using_a_key),
    **dict.fromkeys(ON_THE_ACCOUNT, on_the_account),
    **dict.fromkeys(NOT_OFFERED, not_offered),
}


def _described(answer: Answer) -> Answer:
    """Undo what moto believes: that every key which does not sign encrypts."""
    metadata = answer["KeyMetadata"]
    if isinstance(metadata, dict) and metadata["KeyUsage"] == "KEY_AGREEMENT":
        agrees = {name: value for name, value in metadata.items() if not name.endswith("Algorithms")}
        return {"KeyMetadata": {**agrees, "KeyAgreementAlgorithms": ["ECDH"]}}
    return answer
