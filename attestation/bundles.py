"""Proof bundles: one file with all that a receipt needs to be verified years later, by somebody who holds nothing else.

Deterministic CBOR, a map with text keys (docs/receipts.md). Reading believes nothing, the policy in it least of all: it
is the bundle's maker who chose it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cbor2

from attestation import cbor
from attestation.errors import Rejected
from attestation.merkle import HASH_BYTES
from attestation.policy_file import MAX_POLICY_FILE_BYTES
from attestation.proof_errors import ProofCode, ProofRejected
from attestation.proofs.inclusion import MAX_PATH
from attestation.proofs.openings import Inclusion, LogProof, Opening
from attestation.receipts import SALT_BYTES

MAX_BUNDLE_BYTES = 64 << 20
BUNDLE_PROFILE = "urn:strongroom:proof:v1"

_REQUIRED = frozenset({"profile", "evidence", "receipt"})
_OPTIONAL = frozenset({"policy", "request", "response", "leaf", "log"})


@dataclass(frozen=True, slots=True)
class Bundle:
    """The parts, as they were signed or shown. ``policy`` is the text of a policy file."""

    evidence: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    policy: str | None = None
    request: Opening | None = None
    response: Opening | None = None
    leaf_salt: bytes | None = field(default=None, repr=False)
    inclusion: Inclusion | None = None
    """Where the leaf is; worth nothing without ``leaf_salt``."""

    @property
    def log(self) -> LogProof | None:
        """The receipt's place in the log, if the bundle shows it."""
        if self.leaf_salt is None or self.inclusion is None:
            return None
        return LogProof(self.leaf_salt, self.inclusion)

    def to_bytes(self) -> bytes:
        """The one encoding; parts that are not there are left out."""
        parts = {
            "profile": BUNDLE_PROFILE,
            "evidence": self.evidence,
            "receipt": self.receipt,
            "policy": self.policy,
            "request": _opening_values(self.request),
            "response": _opening_values(self.response),
            "leaf": self.leaf_salt,
            "log": None if self.inclusion is None else [self.inclusion.checkpoint, list(self.inclusion.path)],
        }
        return cbor2.dumps({key: part for key, part in parts.items() if part is not None}, canonical=True)

    @classmethod
    def from_bytes(cls, data: bytes) -> Bundle:
        """Read a bundle of at most 64 MiB; its parts are bounded, not verified. Raises ProofRejected (bundle-form)."""
        if len(data) > MAX_BUNDLE_BYTES:
            raise _malformed(f"at most {MAX_BUNDLE_BYTES} bytes", f"{len(data)}")
        parts = _map(data)
        bundle = cls(
            evidence=_octets(parts["evidence"]),
            receipt=_octets(parts["receipt"]),
            policy=_policy(parts.get("policy")),
            request=_opening(parts.get("request")),
            response=_opening(parts.get("response")),
            leaf_salt=_optional(parts.get("leaf"), SALT_BYTES),
            inclusion=_inclusion(parts.get("log")),
        )
        if bundle.inclusion is not None and bundle.leaf_salt is None:
            raise _malformed("the leaf's salt beside its place in the log", "none")
        if bundle.to_bytes() != data:
            raise _malformed("the deterministic encoding", "another encoding of the same parts")
        return bundle


def _opening_values(opening: Opening | None) -> list[bytes] | None:
    return None if opening is None else [opening.salt, opening.content]


def _map(data: bytes) -> Mapping[str, object]:
    try:
        parts = cbor.decode(data)
    except Rejected as rejected:
        raise _malformed(rejected.expected, rejected.actual) from None
    if not isinstance(parts, dict) or parts.get("profile") != BUNDLE_PROFILE:
        raise _malformed(f"a map of profile {BUNDLE_PROFILE}", "something else")
    if not _REQUIRED <= parts.keys() <= _REQUIRED | _OPTIONAL:
        raise _malformed("evidence, a receipt, and known parts beside them", "other parts")
    return parts


def _octets(value: object, length: int | None = None) -> bytes:
    if not isinstance(value, bytes) or len(value) != (len(value) if length is None else length):
        raise _malformed("a byte string" if length is None else f"{length} bytes", "another value")
    return value


def _optional(value: object, length: int) -> bytes | None:
    return None if value is None else _octets(value, length)


def _policy(value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value.encode()) > MAX_POLICY_FILE_BYTES):
        raise _malformed(f"a policy of at most {MAX_POLICY_FILE_BYTES} bytes", "another value")
    return value


def _items(value: object, length: int) -> list[object]:
    if not isinstance(value, list) or len(value) != length:
        raise _malformed(f"a list of {length}", "another value")
    return value


def _opening(value: object) -> Opening | None:
    if value is None:
        return None
    salt, content = _items(value, 2)
    return Opening(_octets(salt, SALT_BYTES), _octets(content))


def _inclusion(value: object) -> Inclusion | None:
    if value is None:
        return None
    checkpoint, path = _items(value, 2)
    if not isinstance(path, list) or len(path) > MAX_PATH:
        raise _malformed(f"a path of at most {MAX_PATH} steps", "another value")
    return Inclusion(_octets(checkpoint), tuple(_octets(step, HASH_BYTES) for step in path))


def _malformed(expected: str, actual: str) -> ProofRejected:
    return ProofRejected(ProofCode.BUNDLE_FORM, expected, actual)
