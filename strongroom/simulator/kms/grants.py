"""Grants: what they allow beside the key policy, and who may retire them.

Source: KMS Developer Guide, "Grants in AWS KMS". Retiring needs no statement of the key policy: the retiring principal
and a grantee with RetireGrant may, and so may every principal of the key's account, whose IAM allows everything here.
"""

from collections.abc import Mapping

from moto.kms.models import Grant, Key

from strongroom.simulator.key_policy import Caller
from strongroom.simulator.kms.backend import Backend
from strongroom.simulator.kms.errors import KMSError
from strongroom.simulator.kms.request import Answer, Request


def granted(key: Key, operation: str, caller: Caller, context: Mapping[str, str]) -> bool:
    """Whether a grant on `key` lets `caller` do `operation` with this encryption context."""
    return any(_covers(grant, operation, caller, context) for grant in key.grants.values())


def retire_grant(backend: Backend, request: Request) -> Answer:
    """API_RetireGrant: a grant that its token names, or its id and its key."""
    key, grant = _named(backend, request)
    retirers = {grant.retiring_principal, grant.grantee_principal if "RetireGrant" in grant.operations else None}
    if request.caller.account != key.account_id and request.caller.arn not in retirers:
        raise KMSError(
            "AccessDeniedException",
            f"User: {request.caller.arn} is not authorized to perform: kms:RetireGrant on resource: {key.arn}",
        )
    key.revoke_grant(grant.id)
    return {}


def _named(backend: Backend, request: Request) -> tuple[Key, Grant]:
    token = request.optional_text("GrantToken")
    if token is None:
        key, grant_id = backend.key(request.text("KeyId")), request.text("GrantId")
        found = [(key, grant) for grant in key.grants.values() if grant.id == grant_id]
    else:
        found = [(key, grant) for key in backend.all_keys() for grant in key.grants.values() if grant.token == token]
    if not found:
        raise KMSError("NotFoundException", "Grant does not exist")
    return found[0]


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
