"""Compile measurements into a KMS key policy.

One Allow of Decrypt per tuple, under the purposes of the key, and one Deny per PCR as a floor. One Deny with several
negated keys would be joined by AND, so that a mix of two releases passed it; the exact complement of n tuples of k PCRs
would need k^n statements, and a key policy has at most 32 KiB. Hence the floor, and at most two live tuples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from attestation.errors import PolicyError
from attestation.key_policy.attested import REQUIRED_PCRS
from attestation.key_policy.linter import MAX_TUPLES
from attestation.key_policy.principals import is_named, role_of
from attestation.key_policy.text import MAX_KEY_POLICY_BYTES
from attestation.policy import Measurements

PURPOSES = ("model", "request")
"""Values of EncryptionContext's `purpose`: sealed weights, and envelopes with requests (review R7)."""

_KEY_ARN = re.compile(r"arn:(aws(?:-[a-z]+)*):kms:[a-z0-9-]{1,32}:([0-9]{12}):key/(?!mrk-)[A-Za-z0-9-]{1,64}")

_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
)
_SEALING = ("kms:Encrypt", "kms:GenerateDataKey")
_SELF_CHECK = ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants")
_CONDITION_KEY = "kms:RecipientAttestation:PCR"


def compile_key_policy(
    *,
    key_arn: str,
    runtime_role_arn: str,
    measurements: Sequence[Measurements],
    administrator_arns: Sequence[str] = (),
    sealer_arns: Sequence[str] = (),
    purposes: Sequence[str] = PURPOSES,
) -> dict[str, object]:
    """The policy of the key ``key_arn``, which decrypts only for enclaves with one of ``measurements``.

    One or two tuples, each with PCR0, 1, 2, 16 and 17. The runtime role and the administrators belong to the key's
    account; administrators are its root where none is named, and get management without Decrypt, ReEncrypt* and
    CreateGrant. Sealers get Encrypt and GenerateDataKey. Nothing is sealed or opened but under an encryption context
    with one of ``purposes``. A tuple's window becomes date conditions. ReEncryptFrom is denied to everyone: it carries
    no attestation document. Raises PolicyError.
    """
    partition, account = _parts(key_arn)
    administrators = administrator_arns or (f"arn:{partition}:iam::{account}:root",)
    _check_principals(partition, account, administrators, runtime_role_arn, sealer_arns)
    _check_measurements(measurements)
    purpose = _purpose(purposes)
    statements = [
        _allow("Administration", administrators, _ADMINISTRATION),
        *(_sealing(sealer_arns, purpose) if sealer_arns else ()),
        _allow("SelfCheck", [runtime_role_arn], _SELF_CHECK),
        *(_release(number, runtime_role_arn, each, purpose) for number, each in enumerate(measurements, 1)),
        *_floor(measurements),
    ]
    policy: dict[str, object] = {"Version": "2012-10-17", "Id": "strongroom", "Statement": statements}
    _check_size(policy)
    return policy


def _parts(key_arn: str) -> tuple[str, str]:
    """Partition and account."""
    found = _KEY_ARN.fullmatch(key_arn)
    if found is None:
        raise PolicyError("expected a single-Region key's ARN, arn:aws:kms:<region>:<account>:key/<id>")
    return found[1], found[2]


def _purpose(purposes: Sequence[str]) -> dict[str, object]:
    if not purposes or not set(purposes) <= set(PURPOSES):
        raise PolicyError(f"expected purposes among {', '.join(PURPOSES)}, at least one")
    return {"StringEquals": {"kms:EncryptionContext:purpose": sorted(set(purposes))}}


def _allow(sid: str, principals: Iterable[str], actions: Iterable[str]) -> dict[str, object]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": list(principals)},
        "Action": list(actions),
        "Resource": "*",
    }


def _sealing(sealer_arns: Sequence[str], purpose: dict[str, object]) -> list[dict[str, object]]:
    """DescribeKey has no encryption context, so it has a statement of its own."""
    sealing = {**_allow("Sealing", sealer_arns, _SEALING), "Condition": purpose}
    return [_allow("Description", sealer_arns, ["kms:DescribeKey"]), sealing]


def _release(number: int, role_arn: str, measurements: Measurements, purpose: dict[str, object]) -> dict[str, object]:
    pinned = {f"{_CONDITION_KEY}{index}": value.hex() for index, value in measurements.pcrs.items()}
    conditions = {"StringEqualsIgnoreCase": pinned, **purpose, **window_conditions(measurements)}
    return {**_allow(f"Release{number}", [role_arn], ["kms:Decrypt"]), "Condition": conditions}


def window_conditions(measurements: Measurements) -> dict[str, dict[str, str]]:
    """A tuple's window as date conditions, in whole seconds, rounded inwards."""
    start, end = measurements.not_before_ms, measurements.not_after_ms
    conditions = {}
    if start is not None:
        conditions["DateGreaterThanEquals"] = {"aws:CurrentTime": _instant(-(-start // 1000))}
    if end is not None:
        conditions["DateLessThanEquals"] = {"aws:CurrentTime": _instant(end // 1000)}
    return conditions


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _floor(measurements: Sequence[Measurements]) -> list[dict[str, object]]:
    """One Deny for each PCR that every tuple pins; negated operators hold when the document is absent."""
    pinned_by_all = [index for index in measurements[0].pcrs if all(index in each.pcrs for each in measurements)]
    return [
        {
            "Sid": f"FloorPCR{index}",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["kms:Decrypt", "kms:ReEncryptFrom"],
            "Resource": "*",
            "Condition": {
                "StringNotEqualsIgnoreCase": {
                    f"{_CONDITION_KEY}{index}": sorted({each.pcrs[index].hex() for each in measurements})
                }
            },
        }
        for index in pinned_by_all
    ]


def _check_principals(
    partition: str, account: str, administrators: Sequence[str], runtime_role: str, sealers: Sequence[str]
) -> None:
    if not all(is_named(each, partition, account) for each in administrators):
        raise PolicyError(f"expected administrators by ARN in {partition} account {account}")
    if not is_named(runtime_role, partition, account) or role_of(runtime_role) is None:
        raise PolicyError(
            f"runtime role: expected arn:{partition}:iam::{account}:role/<name>, got {runtime_role!r:.100}; "
            "KMS shows a key's policy to its own account only, and the enclave checks that policy: "
            "create a role in the key's account for the parent to assume"
        )
    if not all(is_named(each, partition) for each in sealers):
        raise PolicyError(f"expected sealers by ARN in partition {partition}")
    if role_of(runtime_role) in map(role_of, administrators):  # IAM names are unique whatever their path
        raise PolicyError("expected administrators other than the runtime role, which the parent holds")


def _check_measurements(measurements: Sequence[Measurements]) -> None:
    if not 1 <= len(measurements) <= MAX_TUPLES:
        raise PolicyError(f"expected 1 to {MAX_TUPLES} tuples of measurements, got {len(measurements)}")
    for each in measurements:
        if missing := [f"PCR{index}" for index in REQUIRED_PCRS if index not in each.pcrs]:
            raise PolicyError(f"expected PCR0, 1, 2, 16 and 17 in every tuple, got no {', '.join(missing)}")


def _check_size(policy: dict[str, object]) -> None:
    """As it is printed: KMS counts white space as well."""
    size = len(json.dumps(policy, indent=2))
    if size > MAX_KEY_POLICY_BYTES:
        raise PolicyError(f"expected a key policy of at most {MAX_KEY_POLICY_BYTES} bytes, got {size}")
