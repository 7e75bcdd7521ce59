"""What a client demands of how the enclave got its keys: of TLS to KMS, and of the key policies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from strongroom.client.errors import AttestationRefused, InvalidArgument
from strongroom.protocol.keys import KeyList
from strongroom.protocol.kms_leg import KMSLeg

_SHA384_HEX = re.compile(r"[0-9a-fA-F]{96}")


@dataclass(frozen=True)
class KMSTerms:
    """Nothing is demanded by default.

    `key_policy_sha384` maps ids of key entries to the SHA-384, in hex, of the policies that they must have; entries
    that it does not name may have any that the enclave found sound. Raises InvalidArgument.
    """

    require_hybrid: bool = False
    key_policy_sha384: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(map(_is_sha384, self.key_policy_sha384.values())):
            raise InvalidArgument("key_policy_sha384: expected 96 hexadecimal digits for each key entry's id")

    def check(self, keys: KeyList) -> None:
        """Hold a key list, which a verified document binds, against the terms. Raises AttestationRefused."""
        if self.require_hybrid and keys.kms_leg is not KMSLeg.HYBRID:
            raise AttestationRefused(
                "KMS leg: expected hybrid TLS (X25519MLKEM768) from the enclave to KMS, got classical",
                "use an enclave whose OpenSSL has that group (3.5 or later) and whose configuration does not say "
                "classical = true, or do without require_hybrid_kms",
                unmet="kms-leg",
            )
        for entry_id, expected in self.key_policy_sha384.items():
            _check_key_policy(entry_id, expected.lower(), keys.key_policies)


def _is_sha384(value: object) -> bool:
    return isinstance(value, str) and _SHA384_HEX.fullmatch(value) is not None


def _check_key_policy(entry_id: str, expected: str, policies: Mapping[str, bytes]) -> None:
    if entry_id not in policies:
        raise AttestationRefused(
            f"key policy: expected one of a key entry {entry_id!r:.80}, got those of {', '.join(policies)}",
            "pin it under the id that the deployment configuration gives the key",
            unmet="key-policy",
        )
    if (actual := policies[entry_id].hex()) != expected:
        raise AttestationRefused(
            f"key policy of {entry_id}: expected SHA-384 {expected}, got {actual}",
            "read what KMS holds (aws kms get-key-policy), lint it, and pin its digest only if you agree with it",
            unmet="key-policy",
        )
