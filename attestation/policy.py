"""Policies: which documents are acceptable. An empty policy is an error and never a yes.

Measurements are tuples: PCR0, 1 and 2 of one build belong together, so that a mix of two releases never passes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from attestation.documents import AttestationDocument
from attestation.errors import PolicyError, Rejected, RejectionCode
from attestation.measurements import EMPTY_APPLICATION_PCR2, IMAGE_PCRS, PARENT_ROLE_PCR, ZERO

MAX_PCR = 31
MAX_INSTANT_MS = 253_402_300_799_999  # the last of the year 9999

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:@/+-]{0,127}")


class Policy(Protocol):
    """Anything that judges a document whose signature already holds."""

    def check(self, document: AttestationDocument, at_ms: int) -> None:
        """Accept by returning None, for the instant ``at_ms``. Raises Rejected."""


@dataclass(frozen=True)
class Measurements:
    """One tuple of expected PCR values (index → 48 bytes), optionally with a window in which it is acceptable.

    PCR0, 1, 2 are required together; PCR3, the parent's role, unless ``any_parent_role`` (anyone can run a public
    image with a copied configuration in an account of their own). Raises PolicyError, also for values that
    measure nothing: zeros (debug mode) and the PCR2 of an image without an application.
    """

    pcrs: Mapping[int, bytes]
    name: str = ""
    not_before_ms: int | None = None
    not_after_ms: int | None = None
    any_parent_role: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        pcrs = dict(self.pcrs)
        _check_pinned(pcrs, self.any_parent_role)
        object.__setattr__(self, "pcrs", MappingProxyType(dict(sorted(pcrs.items()))))
        if self.name and not _NAME.fullmatch(self.name):
            raise PolicyError("expected a name of 1 to 128 letters, digits, spaces and ._:@/+-")
        if not all(0 <= edge <= MAX_INSTANT_MS for edge in (self._start, self._end)) or self._start >= self._end:
            raise PolicyError("expected not-before earlier than not-after, in milliseconds until the year 9999")

    def check(self, document: AttestationDocument, at_ms: int) -> None:
        """Every pinned PCR is present and equal, and ``at_ms`` lies in the window. Raises Rejected."""
        for index, expected in self.pcrs.items():
            actual = document.pcrs.get(index)
            if actual is None:
                raise Rejected(RejectionCode.MEASUREMENT_ABSENT, f"PCR{index} {expected.hex()}", "no such PCR")
            if actual != expected:
                raise Rejected(RejectionCode.MEASUREMENT, f"PCR{index} {expected.hex()}", actual.hex())
        if not self._start <= at_ms <= self._end:
            raise Rejected(
                RejectionCode.MEASUREMENT_WINDOW, f"an instant from {self._start} to {self._end}", f"{at_ms}"
            )

    @property
    def _start(self) -> int:
        return 0 if self.not_before_ms is None else self.not_before_ms

    @property
    def _end(self) -> int:
        return MAX_INSTANT_MS if self.not_after_ms is None else self.not_after_ms


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


def pins_code(policy: Policy) -> bool:
    """Whether acceptance says anything about the code: not where UnsafeAnyMeasurement alone accepts."""
    if isinstance(policy, AnyOf):
        return all(pins_code(each) for each in policy.policies)
    if isinstance(policy, AllOf):
        return any(pins_code(each) for each in policy.policies)
    return not isinstance(policy, UnsafeAnyMeasurement)


def _not_empty(policies: Sequence[Policy]) -> tuple[Policy, ...]:
    if not policies:
        raise PolicyError("expected at least one policy, got none")
    return tuple(policies)


def _check_register(index: object, value: object) -> None:
    if type(index) is not int or not 0 <= index <= MAX_PCR:
        raise PolicyError(f"expected PCR indices 0 to {MAX_PCR}, got {index!r}")
    if not isinstance(value, bytes) or len(value) != len(ZERO):
        raise PolicyError(f"expected {len(ZERO)} bytes for PCR{index}")
    if value == ZERO:
        raise PolicyError(f"expected a measured PCR{index}, got zeros, which measure nothing")


def _check_pinned(pcrs: Mapping[int, bytes], any_parent_role: bool) -> None:
    for index, value in pcrs.items():
        _check_register(index, value)
    if missing := [index for index in IMAGE_PCRS if index not in pcrs]:
        raise PolicyError(f"expected PCR0, PCR1 and PCR2 together, got no PCR{missing[0]}")
    if pcrs[2] == EMPTY_APPLICATION_PCR2:
        raise PolicyError("expected a PCR2 that measures an application, got that of an image without one")
    if (PARENT_ROLE_PCR in pcrs) == any_parent_role:
        raise PolicyError("expected either PCR3, the parent's role, or any_parent_role=True, and not both")
