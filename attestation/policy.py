"""Policies: which documents are acceptable. An empty policy is an error and never a yes.

Measurements are tuples: PCR0, 1 and 2 of one build belong together, so that a mix of two releases never passes.
Pinned PCRs are single registers, for a question asked by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected, RejectionCode
from attestation.registers import check_equal, check_pins, check_tuple

MAX_INSTANT_MS = 253_402_300_799_999  # the last of the year 9999
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9 ._:@/+-]{0,127}"

_NAME = re.compile(NAME_PATTERN)


class Policy(Protocol):
    """Anything that judges a document whose signature already holds."""

    def check(self, document: AttestationDocument, at_ms: int) -> None:
        """Accept by returning None, for the instant ``at_ms``. Raises Rejected."""


@dataclass(frozen=True)
class Measurements:
    """One tuple of expected PCR values (index → 48 bytes), optionally with a window in which it is acceptable.

    PCR0, 1, 2 are required together; PCR3, the parent's role, unless ``any_parent_role`` (anyone can run a public
    image with a copied configuration in an account of their own). The window is held against the instant that the mode
    judges at, and both its edges belong to it. Raises PolicyError, also for values that measure nothing: zeros (debug
    mode) and the PCR2 of an image without an application.
    """

    pcrs: Mapping[int, bytes]
    name: str = ""
    not_before_ms: int | None = None
    not_after_ms: int | None = None
    any_parent_role: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        pcrs = dict(self.pcrs)
        check_tuple(pcrs, self.any_parent_role)
        object.__setattr__(self, "pcrs", MappingProxyType(dict(sorted(pcrs.items()))))
        if self.name and not _NAME.fullmatch(self.name):
            raise PolicyError("expected a name of 1 to 128 letters, digits, spaces and ._:@/+-")
        if not all(0 <= edge <= MAX_INSTANT_MS for edge in (self._start, self._end)) or self._start >= self._end:
            raise PolicyError("expected not-before earlier than not-after, in milliseconds until the year 9999")

    def check(self, document: AttestationDocument, at_ms: int) -> None:
        """Every pinned PCR is present and equal, and ``at_ms`` lies in the window. Raises Rejected."""
        check_equal(self.pcrs, document, self._of_name)
        if not self._start <= at_ms <= self._end:
            raise Rejected(
                RejectionCode.MEASUREMENT_WINDOW,
                f"an instant from {self._start} to {self._end}{self._of_name}",
                f"{at_ms}",
            )

    @property
    def _of_name(self) -> str:
        return f" of {self.name}" if self.name else ""

    @property
    def _start(self) -> int:
        return 0 if self.not_before_ms is None else self.not_before_ms

    @property
    def _end(self) -> int:
        return MAX_INSTANT_MS if self.not_after_ms is None else self.not_after_ms


@dataclass(frozen=True)
class PinnedPCRs:
    """Single registers (index → 48 bytes) of one kind of document, enclave or nitrotpm: each is present and equal.

    An enclave's pins name PCR0, PCR8 or one that the code extends (PCR16 to 31): PCR3 and PCR4 say who runs it, not
    what. Weaker than ``Measurements`` in a policy file: whatever is not named may be anything, and pins know no release
    that they belong to. Raises PolicyError, also for values that measure nothing.
    """

    pcrs: Mapping[int, bytes]
    kind: str = "enclave"

    def __post_init__(self) -> None:
        pcrs = dict(self.pcrs)
        check_pins(pcrs, self.kind)
        object.__setattr__(self, "pcrs", MappingProxyType(dict(sorted(pcrs.items()))))

    def check(self, document: AttestationDocument, at_ms: int) -> None:
        """Of the pins' kind, with every pinned PCR. Raises Rejected."""
        if document.kind != self.kind:
            raise Rejected(RejectionCode.MEASUREMENT, f"PCRs of kind {self.kind}", f"those of kind {document.kind}")
        check_equal(self.pcrs, document)


@dataclass(frozen=True)
class AnyOf:
    """Acceptable to at least one of ``policies``. Raises PolicyError when there is none."""

    policies: Sequence[Policy]

    def __post_init__(self) -> None:
        object.__setattr__(self, "policies", _not_empty(self.policies))

    def check(self, document: AttestationDocument, at_ms: int) -> None:
        """Raises the only policy's own Rejected, or one that lists them all."""
        refusals = []
        for policy in self.policies:
            try:
                return require_acceptance(policy, document, at_ms)
            except Rejected as rejected:
                refusals.append(rejected)
        if len(refusals) == 1:
            raise refusals[0]
        actual = "; ".join(str(refusal) for refusal in refusals)
        raise Rejected(RejectionCode.NO_POLICY_MATCHES, f"one of {len(refusals)} policies", actual)


@dataclass(frozen=True)
class AllOf:
    """Acceptable to every one of ``policies``. Raises PolicyError when there is none."""

    policies: Sequence[Policy]

    def __post_init__(self) -> None:
        object.__setattr__(self, "policies", _not_empty(self.policies))

    def check(self, document: AttestationDocument, at_ms: int) -> None:
        """Raises the first Rejected."""
        for policy in self.policies:
            require_acceptance(policy, document, at_ms)


class UnsafeAnyMeasurement:
    """Accepts whatever code runs in the enclave. For inspecting documents, never for trusting one with data."""

    def check(self, document: AttestationDocument, at_ms: int) -> None:
        """Accept."""


def require_acceptance(policy: Policy, document: AttestationDocument, at_ms: int) -> None:
    """``policy`` accepts by returning None. Raises its Rejected, and PolicyError when it returns anything else.

    A policy that answers False, or a coroutine that nobody awaits, would otherwise accept everything.
    """
    check: Callable[[AttestationDocument, int], object] = policy.check
    answer = check(document, at_ms)
    if answer is not None:
        kind = type(answer).__name__
        raise PolicyError(f"expected a policy that raises Rejected to refuse, got one that returns {kind}")


def pinned_registers(policy: Policy) -> frozenset[int]:
    """The PCRs of which acceptance says something: empty where UnsafeAnyMeasurement alone accepts.

    All of them for a policy of another type: what it looks at is for whoever wrote it to know.
    """
    if isinstance(policy, Measurements | PinnedPCRs):
        return frozenset(policy.pcrs)
    if isinstance(policy, AnyOf):
        return frozenset.intersection(*map(pinned_registers, policy.policies))
    if isinstance(policy, AllOf):
        return frozenset.union(*map(pinned_registers, policy.policies))
    return frozenset() if isinstance(policy, UnsafeAnyMeasurement) else frozenset(range(32))


def waives_parent_role(policy: Policy) -> bool:
    """Whether it says aloud, with ``any_parent_role``, that whoever runs the image is trusted."""
    if isinstance(policy, AnyOf | AllOf):
        return any(map(waives_parent_role, policy.policies))
    return isinstance(policy, Measurements) and policy.any_parent_role


def _not_empty(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    listed = tuple(policies)
    if not listed:
        raise PolicyError("expected at least one policy, got none")
    return listed
