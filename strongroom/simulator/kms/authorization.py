"""May this caller do this with this key? The key's policy decides, then its grants.

Source: KMS Developer Guide, "Troubleshooting key access" (a grant allows what no statement allows; an explicit Deny
beats both) and "Condition keys for AWS KMS"; KMS API Reference, "Cross-account use" of each operation.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from moto.kms.models import Key

from strongroom.simulator.conditions import Context, PolicyError
from strongroom.simulator.key_policy import MAX_POLICY_BYTES, Decision, KeyPolicy
from strongroom.simulator.kms.errors import KMSError
from strongroom.simulator.kms.grants import granted
from strongroom.simulator.kms.request import Request

_BECAUSE = {
    Decision.DENIED: "with an explicit deny in a resource-based policy",
    Decision.NOT_ALLOWED: "because no resource-based policy allows the {action} action",
}

_ACROSS_ACCOUNTS = frozenset(
    {
        "CreateGrant",
        "Decrypt",
        "DeriveSharedSecret",
        "DescribeKey",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetKeyRotationStatus",
        "GetPublicKey",
        "ListGrants",
        "ReEncryptFrom",
        "ReEncryptTo",
        "RevokeGrant",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""What a key of another account can be used for, where its policy allows it; not GetKeyPolicy, for one."""


def authorize(
    request: Request, key: Key, *, action: str | None = None, context: Mapping[str, str] | None = None
) -> None:
    """Raise `KMSError` (AccessDeniedException) unless `request` may act on `key`.

    `action` is the operation's own unless given; `context` is the encryption context that conditions see.
    """
    context = context or {}
    operation = action or request.operation
    decision = _decide(request, key, operation, context)
    if decision is not Decision.ALLOWED:
        because = _BECAUSE[decision].format(action=f"kms:{operation}")
        raise KMSError(
            "AccessDeniedException",
            f"User: {request.caller.arn} is not authorized to perform: kms:{operation} "
            f"on resource: {key.arn} {because}",
        )


def _decide(request: Request, key: Key, operation: str, context: Mapping[str, str]) -> Decision:
    if request.caller.account != key.account_id and operation not in _ACROSS_ACCOUNTS:
        return Decision.NOT_ALLOWED
    conditions = _conditions(request, key, context)
    decision = parsed_policy(key.policy).decide(f"kms:{operation}", request.caller, conditions, key_arn=key.arn)
    if decision is Decision.NOT_ALLOWED and granted(key, operation, request.caller, context):
        return Decision.ALLOWED
    return decision


@lru_cache(maxsize=256)
def parsed_policy(document: str) -> KeyPolicy:
    """`document` parsed. Raises `KMSError` (MalformedPolicyDocumentException)."""
    try:
        return KeyPolicy.from_json(document)
    except PolicyError as error:
        raise KMSError("MalformedPolicyDocumentException", str(error)) from error


def check_new_policy(request: Request, document: str, *, key_arn: str | None = None) -> None:
    """Refuse a policy that cannot be read, or that would lock its author out of changing it again.

    Raises `KMSError` (LimitExceededException, MalformedPolicyDocumentException), as PutKeyPolicy and CreateKey do.
    """
    if len(document.encode(errors="surrogatepass")) > MAX_POLICY_BYTES:
        raise KMSError("LimitExceededException", f"expected a key policy of at most {MAX_POLICY_BYTES} bytes")
    policy = parsed_policy(document)
    if request.flag("BypassPolicyLockoutSafetyCheck"):
        return
    conditions = _global_conditions(request)
    if policy.decide("kms:PutKeyPolicy", request.caller, conditions, key_arn=key_arn) is not Decision.ALLOWED:
        raise KMSError(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )


def _conditions(request: Request, key: Key, context: Mapping[str, str]) -> Context:
    values = {
        **_global_conditions(request),
        "kms:keyspec": (key.key_spec,),
        "kms:keyusage": (key.key_usage,),
        "kms:keyorigin": (key.origin,),
        "kms:multiregion": ("true" if key.multi_region else "false",),
    }
    if context:
        values["kms:encryptioncontextkeys"] = tuple(context)
    values |= {f"kms:encryptioncontext:{name.lower()}": (value,) for name, value in context.items()}
    return values | dict(request.recipient.conditions) if request.recipient else values


def _global_conditions(request: Request) -> dict[str, tuple[str, ...]]:
    at = datetime.fromtimestamp(request.at_ms // 1000, UTC)
    return {
        "aws:currenttime": (at.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(request.at_ms // 1000),),
        "aws:principalarn": (request.caller.arn,),
        "aws:principalaccount": (request.caller.account,),
        # KMS itself has no other way in; plain HTTP here stands for it.
        "aws:securetransport": ("true",),
        "kms:calleraccount": (request.caller.account,),
    }
