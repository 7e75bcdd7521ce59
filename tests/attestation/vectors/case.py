"""One case: a document, how to judge it, and the verdict that must come out."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.attestation.vectors.chains import Chain
from tests.attestation.vectors.documents import document
from tests.attestation.vectors.rules import CODES

ACCEPTED, REJECTED, POLICY_ERROR = "accepted", "rejected", "policy-error"

ANCHOR = ("--trust-anchor", "../root.pem", "--allow-simulated")
ANY = ("--any-measurement", *ANCHOR)
ARCHIVED = ("--archived", *ANY)


@dataclass(frozen=True)
class Case:
    """``rows`` are the classes of bad documents that it stands for, ``policy`` the text of its policy.toml."""

    rule: int
    slug: str
    title: str
    document: bytes = field(repr=False)
    verdict: str
    code: str | None = None
    rows: tuple[int, ...] = ()
    arguments: tuple[str, ...] = ARCHIVED
    policy: str | None = None


def accepted(
    rule: int,
    slug: str,
    title: str,
    data: bytes,
    *,
    arguments: tuple[str, ...] = ARCHIVED,
    policy: str | None = None,
) -> Case:
    """A control: ``rule`` must let it pass."""
    return Case(rule, slug, title, data, ACCEPTED, None, (), arguments, policy)


def rejected(
    code: str,
    slug: str,
    title: str,
    data: bytes,
    *rows: int,
    arguments: tuple[str, ...] = ARCHIVED,
    policy: str | None = None,
) -> Case:
    """One defect, which the rule of ``code`` refuses."""
    return Case(CODES[code].rule, slug, title, data, REJECTED, code, rows, arguments, policy)


def policy_error(
    rule: int,
    slug: str,
    title: str,
    data: bytes,
    *rows: int,
    arguments: tuple[str, ...],
    policy: str | None = None,
) -> Case:
    """A demand that no verifier may judge by, whatever the document."""
    return Case(rule, slug, title, data, POLICY_ERROR, None, rows, arguments, policy)


def under(code: str, slug: str, title: str, chain: Chain, *rows: int) -> Case:
    """A sound document under a chain of one defect."""
    return rejected(code, slug, title, document(chain), *rows)
