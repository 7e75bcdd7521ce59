"""The targets, each a module of this package, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

TARGETS = (
    "audit_log",
    "bindings",
    "bundle",
    "cbor",
    "certificate",
    "cose",
    "document",
    "eif",
    "evidence",
    "inclusion",
    "joint_evidence",
    "key_policy",
    "onnx_graph",
    "payload",
    "policy_file",
    "receipt",
    "receipt_claims",
)


def check(held: bool, demand: str) -> None:
    """Raises AssertionError where ``demand`` does not hold; unlike an assert statement, also under -O."""
    if not held:
        raise AssertionError(f"expected {demand}")


class Target(Protocol):
    """What such a module offers."""

    def seeds(self) -> Sequence[bytes]:
        """Sound inputs, and a few that are almost."""

    def one_input(self, data: bytes) -> None:
        """Raises whatever it likes where the invariant does not hold."""
