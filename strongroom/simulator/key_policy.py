"""Key policies: who may do what with one KMS key, under which conditions.

Source: KMS Developer Guide, "Key policies in AWS KMS", KMS API Reference, "PutKeyPolicy", and IAM User Guide, "Policy
evaluation logic". One choice of the simulator: IAM policies are taken to allow everything, so a statement for the
account's root admits every principal of that account. That is what an operator who relies on the key policy alone has
to assume.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Self

from strongroom.simulator.conditions import (
    Condition,
    Context,
    NullCondition,
    PolicyError,
    parse_conditions,
)
from strongroom.simulator.operators import like

MAX_POLICY_BYTES = 32 * 1024
_VERSIONS = ("2012-10-17", "2008-10-17")
_STATEMENT_MEMBERS = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "Condition"}
)


class Decision(Enum):
    """Outcome of an evaluation; only `ALLOWED` lets a call proceed."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "no statement allows it"
    DENIED = "an explicit deny"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever signed a request: the ARN of a role, or of an account's root."""

    account: str
    arn: str

    @classmethod
    def root_of(cls, account: str) -> Self:
        """The root of `account`."""
        return cls(account, f"arn:aws:iam::{account}:root")

    @property
    def is_root(self) -> bool:
        """Whether this is an account's root."""
        return self.arn.endswith(":root")

    def is_named_by(self, principal: str) -> bool:
        """Whether `principal`, as written in a policy, covers this caller."""
        return principal in ("*", self.arn, self.account, f"arn:aws:iam::{self.account}:root")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; principals and actions are matched the other way round where `Not…` was written."""

    denies: bool
    principals: tuple[str, ...]
    except_principals: bool
    actions: tuple[str, ...]
    except_actions: bool
    resources: tuple[str, ...]
    conditions: tuple[Condition | NullCondition, ...]

    def applies(self, action: str, caller: Caller, context: Context, key_arn: str | None) -> bool:
        """Whether the statement speaks about this call."""
        named = any(caller.is_named_by(principal) for principal in self.principals)
        listed = any(like(pattern.lower(), action.lower()) for pattern in self.actions)
        return (
            named != self.except_principals
            and listed != self.except_actions
            and any(key_arn is None or like(pattern, key_arn) for pattern in self.resources)
            and all(condition.holds(context) for condition in self.conditions)
        )


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """A parsed policy document."""

    statements: tuple[Statement, ...]

    @classmethod
    def from_json(cls, document: str) -> Self:
        """Parse strictly: unknown members, duplicate members and unknown operators raise `PolicyError`."""
        size = len(document.encode(errors="surrogatepass"))
        if size > MAX_POLICY_BYTES:
            raise PolicyError(f"expected at most {MAX_POLICY_BYTES} bytes of policy, got {size}")
        try:
            policy = json.loads(document, object_pairs_hook=_unique)
        except (json.JSONDecodeError, RecursionError) as error:
            raise PolicyError("expected a JSON document") from error
        if not isinstance(policy, dict) or not set(policy) <= {"Version", "Id", "Statement"}:
            raise PolicyError("expected an object with Version, Id and Statement")
        if policy.get("Version", _VERSIONS[1]) not in _VERSIONS:
            raise PolicyError(f"Version: expected one of {_VERSIONS}")
        statements = policy.get("Statement")
        return cls(
            tuple(_parse_statement(item) for item in (statements if isinstance(statements, list) else [statements]))
        )

    def decide(self, action: str, caller: Caller, context: Context, *, key_arn: str | None = None) -> Decision:
        """Evaluate one call: any applicable Deny wins, then any applicable Allow.

        Without a `key_arn` the key is not made yet, and whatever a statement has as `Resource` may become its name.
        """
        applicable = [item for item in self.statements if item.applies(action, caller, context, key_arn)]
        if any(statement.denies for statement in applicable):
            return Decision.DENIED
        return Decision.ALLOWED if applicable else Decision.NOT_ALLOWED


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise PolicyError("expected every member once, got a duplicate")
    return members


def _parse_statement(statement: object) -> Statement:
    if not isinstance(statement, dict) or not set(statement) <= _STATEMENT_MEMBERS:
        raise PolicyError(f"a statement may have {sorted(_STATEMENT_MEMBERS)} and nothing else")
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise PolicyError("Effect: expected Allow or Deny")
    principals, except_principals = _one_of(statement, "Principal", _principals)
    actions, except_actions = _one_of(statement, "Action", _strings)
    if except_principals and statement["Effect"] == "Allow":
        raise PolicyError("NotPrincipal: expected only in a Deny statement")
    return Statement(
        denies=statement["Effect"] == "Deny",
        principals=principals,
        except_principals=except_principals,
        actions=actions,
        except_actions=except_actions,
        # As in KMS, which takes a statement without a Resource and gives it no effect.
        resources=_strings(statement["Resource"]) if "Resource" in statement else (),
        conditions=parse_conditions(statement.get("Condition", {})),
    )


def _one_of(
    statement: dict[str, object], name: str, parse: Callable[[object], tuple[str, ...]]
) -> tuple[tuple[str, ...], bool]:
    written = [member for member in (name, f"Not{name}") if member in statement]
    if len(written) != 1:
        raise PolicyError(f"expected {name} or Not{name}, got {written or 'neither'}")
    return parse(statement[written[0]]), written[0] != name


def _principals(value: object) -> tuple[str, ...]:
    if value == "*":
        return ("*",)
    if not isinstance(value, dict) or not set(value) <= {"AWS", "Service"}:
        raise PolicyError('Principal: expected "*" or an object with AWS or Service')
    # AWS services never call the simulator, so their statements parse and match nobody.
    names = _strings(value["AWS"]) if "AWS" in value else ()
    if any("*" in name and name != "*" for name in names):
        raise PolicyError("Principal: a wildcard may only stand alone")
    return names


def _strings(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, str) for item in values):
        raise PolicyError("expected a string or a list of strings")
    return tuple(values)
