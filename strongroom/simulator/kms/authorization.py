"""May this caller do this with this key? The key's policy decides, then its grants.

Source: KMS Developer Guide, "Troubleshooting key access" (a grant allows what no statement allows; an explicit Deny
beats both) and "Condition keys for AWS KMS".
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from moto.kms.models import Grant, Key

from strongroom.simulator.conditions import Context, PolicyError
from strongroom.simulator.key_policy import Caller, Decision, KeyPolicy
from strongroom.simulator.kms.errors import KMSError
from strongroom.simulator.kms.request import Request

_BECAUSE = {
    Decision.DENIED: "with an explicit deny in a resource-based policy",
    Decision.NOT_ALLOWED: "because no resource-based policy allows the {action} action",
}


def authorize(
    request: Request, key: Key, *, action: str | None = None, context: Mapping[str, str] | None = None
) -> None:
    """Raise `KMSError` (AccessDeniedException) unless `request` may act on `key`.

    `action` is the operation's own unless given; `context` is the encryption context that conditions see.
    """
    context = context or {}
    operation = action or request.operation
    policy = parsed_policy(key.policy)
    decision = policy.decide(f"kms:{operation}", request.caller, _conditions(request, key, context))
    if decision is Decision.NOT_ALLOWED and _granted(key, operation, request.caller, context):
        return
    if decision is not Decision.ALLOWED:
        because = _BECAUSE[decision].format(action=f"kms:{operation}")
        raise KMSError(
            "AccessDeniedException",
            f"User: {request.caller.arn} is not authorized to perform: kms:{operation} "
            f"on resource: {key.arn} {because}",
        )


@lru_cache(maxsize=256)
def parsed_policy(document: str) -> KeyPolicy:
    """`document` parsed. Raises `KMSError` (MalformedPolicyDocumentException)."""
    try:
        return KeyPolicy.from_json(document)
    except PolicyError as error:
        raise KMSError("MalformedPolicyDocumentException", str(error)) from error


def check_new_policy(request: Request, document: str) -> None:
    """Refuse a policy that cannot be read, or that would lock its author out of changing it again.

    Raises `KMSError` (MalformedPolicyDocumentException), as PutKeyPolicy and CreateKey do.
    """
    policy = parsed_policy(document)
    if request.flag("BypassPolicyLockoutSafetyCheck"):
        return
    if policy.decide("kms:PutKeyPolicy", request.caller, _global_conditions(request)) is not Decision.ALLOWED:
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
        "aws:principalarn": (request.caller.arn,),
        "aws:principalaccount": (request.caller.account,),
        "kms:calleraccount": (request.caller.account,),
    }


def _granted(key: Key, operation: str, caller: Caller, context: Mapping[str, str]) -> bool:
    return any(_covers(grant, operation, caller, context) for grant in key.grants.values())


def _covers(grant: Grant, operation: str, caller: Caller, context: Mapping[str, str]) -> bool:
    constraints = grant.constraints or {}
    subset = constraints.get("EncryptionContextSubset", {})
    equals = constraints.get("EncryptionContextEquals", dict(context))
    return (
        grant.grantee_principal == caller.arn
        and operation in grant.operations
        and subset.items() <= context.items()
        and equals == context
    )
