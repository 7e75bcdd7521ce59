"""Principals of a key policy: roles, users and whole accounts."""

from __future__ import annotations

import re

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[\x21-\x7e]*/)?([\w+=,.@-]+)", re.ASCII)
_SESSION = re.compile(r"arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([\w+=,.@-]+)/.+", re.ASCII)
_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?([0-9]{12})(?::root)?")
_OWNED = re.compile(
    r"([0-9]{12})|arn:aws[a-z-]*:(?:iam|sts)::([0-9]{12}):(?:root|(?:user|role|assumed-role|federated-user)/[^*?]+)"
)
_MANAGER = re.compile(
    r"arn:(aws[a-z-]*):iam::([0-9]{12}):(?:root|(?:user|role)/(?:[\w+=,.@-]+/)*[\w+=,.@-]+)", re.ASCII
)


def role_of(principal: str) -> tuple[str, str] | None:
    """Account and name of the role that ``principal`` is, or is a session of; IAM's names are unique over all paths."""
    found = _ROLE.fullmatch(principal) or _SESSION.fullmatch(principal)
    return None if found is None else (found[1], found[2])


def is_account(principal: str) -> bool:
    """Whether ``principal`` is a whole account, which hands the decision to its IAM policies."""
    return _ACCOUNT.fullmatch(principal) is not None


def account_of(principal: str) -> str | None:
    """The account that ``principal`` belongs to; None for a service, an identity provider, a pattern, or everyone."""
    found = _OWNED.fullmatch(principal)
    return None if found is None else found[1] or found[2]


def is_named(principal: str, partition: str, account: str | None = None) -> bool:
    """Whether ``principal`` is one role, user or account root of ``partition`` and, if given, ``account``."""
    found = _MANAGER.fullmatch(principal)
    return found is not None and found[1] == partition and account in (None, found[2])
