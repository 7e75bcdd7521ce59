"""The enclave judges its own keys, over its own TLS, before it uses one (review R11)."""

from collections.abc import Callable, Sequence

from attestation.bindings import key_policy_sha384
from attestation.errors import PolicyError
from attestation.key_policy.linter import lint_key
from attestation.key_policy.text import parse_key_policy
from enclave.errors import KeyRefused
from enclave.kms.client import KMSClient
from strongroom.protocol.configuration import KeyEntry
from strongroom.protocol.keys import KeyConfiguration, KeyList


def check_keys(
    entries: Sequence[KeyEntry],
    client_of: Callable[[str], KMSClient],
    runtime_role: str,
    configurations: tuple[KeyConfiguration, ...],
) -> KeyList:
    """The key list, once the key of every entry is found sound; `client_of` gives the client of a region.

    Blocks. Raises KeyRefused for the first key that is not sound, and what KMSClient raises.
    """
    clients = {entry.arn: client_of(entry.region) for entry in entries}
    digests = {entry.arn: _check_key(clients[entry.arn], entry, runtime_role) for entry in _one_per_key(entries)}
    weakest_leg = min(client.leg for client in clients.values())
    return KeyList(configurations, weakest_leg, {entry.id: digests[entry.arn] for entry in entries})


def _one_per_key(entries: Sequence[KeyEntry]) -> list[KeyEntry]:
    return list({entry.arn: entry for entry in entries}.values())


def _check_key(client: KMSClient, entry: KeyEntry, runtime_role: str) -> bytes:
    """SHA-384 of a key policy as KMS returned it, if key, policy and grants are sound."""
    description, policy, grants = client.describe_key(entry.arn)
    try:
        findings = lint_key(description, parse_key_policy(policy), grants, runtime_role_arn=runtime_role)
    except PolicyError:
        raise KeyRefused(entry.id, ["unreadable-policy"]) from None
    if errors := [finding.code for finding in findings if finding.severity == "error"]:
        raise KeyRefused(entry.id, errors)
    return key_policy_sha384(policy)
