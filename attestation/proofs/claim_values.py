"""What each claim's value may be: type and bounds. A reader returns the value or raises ProofRejected (claim-value)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from attestation.bindings import RECEIPT_KEY_BYTES
from attestation.merkle import HASH_BYTES
from attestation.policy import MAX_INSTANT_MS
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.receipt_claims import Outcome

MAX_KEY_POLICIES = 16
MAX_VERDICTS = 16
MAX_LEAVES = 1 << 48
REQUEST_ID_BYTES = 16

_SHA384_BYTES = 48
_MAX_COUNT = (1 << 32) - 1
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KMS_LEGS = (1, 2)

Tree = tuple[int, bytes]


def whole(least: int, most: int) -> Callable[[object], int]:
    """A reader of integers; a bool is none."""

    def read(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise wrong(f"an integer from {least} to {most}")
        return value

    return read


def octets(length: int) -> Callable[[object], bytes]:
    """A reader of byte strings of one length."""

    def read(value: object) -> bytes:
        if not isinstance(value, bytes) or len(value) != length:
            raise wrong(f"{length} bytes")
        return value

    return read


count = whole(0, _MAX_COUNT)
instant_ms = whole(1, MAX_INSTANT_MS)
instant_s = whole(0, (MAX_INSTANT_MS + _MAX_COUNT) // 1000)
size = whole(0, MAX_LEAVES)
kms_leg = whole(*_KMS_LEGS)
sha256 = octets(HASH_BYTES)
sha384 = octets(_SHA384_BYTES)
request_id = octets(REQUEST_ID_BYTES)


def receipt_key(value: object) -> bytes:
    """An uncompressed P-256 point; whether it lies on the curve, the signature's verification tells."""
    point = octets(RECEIPT_KEY_BYTES)(value)
    if point[0] != 4:
        raise wrong("an uncompressed point")
    return point


def identifier(value: object) -> str:
    """A model's, key entry's or guardrail's id: lower case, at most 64 characters."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise wrong("lower-case letters, digits and . _ -, at most 64")
    return value


def key_policies(value: object) -> Mapping[str, bytes]:
    """At most 16 key entries' ids and the SHA-384 of their key policies."""
    if not isinstance(value, dict) or len(value) > MAX_KEY_POLICIES:
        raise wrong(f"a map of at most {MAX_KEY_POLICIES} key policies")
    return {identifier(entry): sha384(digest) for entry, digest in value.items()}


def tree(value: object) -> Tree:
    """[size, root] of a log."""
    if not isinstance(value, list) or len(value) != 2:
        raise wrong("a size and a root")
    return size(value[0]), sha256(value[1])


def outcome(value: object) -> Outcome:
    """One of three words."""
    if not isinstance(value, str) or value not in tuple(Outcome):
        raise wrong(" or ".join(Outcome))
    return Outcome(value)


def verdicts(value: object) -> tuple[tuple[str, str], ...]:
    """At most 16 pairs of a guardrail's id and its verdict."""
    if not isinstance(value, list) or len(value) > MAX_VERDICTS:
        raise wrong(f"a list of at most {MAX_VERDICTS} verdicts")
    return tuple(_verdict(each) for each in value)


def _verdict(value: object) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise wrong("a guardrail's id and its verdict")
    return identifier(value[0]), identifier(value[1])


def wrong(expected: str) -> ProofRejected:
    """The error for a value; what it was is not quoted."""
    return ProofRejected(ProofCode.CLAIM_VALUE, expected, "another value")
