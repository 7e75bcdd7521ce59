"""What the linter reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect: a stable code, what it lets happen, and how to mend it. An enclave refuses a key with errors."""

    severity: Severity
    code: str
    explanation: str
    mend: str


def error(code: str, explanation: str, mend: str) -> Finding:
    """A defect that defeats attestation or hides whether it does."""
    return Finding("error", code, explanation, mend)


def warning(code: str, explanation: str, mend: str) -> Finding:
    """A defence that is missing, or a thing that the key cannot show."""
    return Finding("warning", code, explanation, mend)
