"""The condition operators of key policies, one value against one: strings, booleans, dates.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators".
"""

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

Matcher = Callable[[str, str], bool]
"""Called with a policy's value and a request's."""

_EPOCH_SECONDS = re.compile(r"[0-9]{1,12}")
_ISO_8601 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?"
)


def like(pattern: str, value: str) -> bool:
    """Case-sensitive match in which `*` stands for any characters and `?` for one."""
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *rest = ("".join("." if char == "?" else re.escape(char) for char in part) for part in pattern.split("*"))
    # Every part but the last may take the first place it fits, for good: "*a*a*a*b" must not try all the others.
    between = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(first + between + "".join(f".*{part}" for part in rest[-1:]), re.DOTALL)


def _equal(pattern: str, value: str) -> bool:
    return pattern == value


def _equal_ignoring_case(pattern: str, value: str) -> bool:
    return pattern.lower() == value.lower()


def instant(value: str) -> datetime | None:
    """ISO 8601 (a day, or an instant with an offset) or seconds since the epoch; None for anything else."""
    try:
        if _EPOCH_SECONDS.fullmatch(value):
            return datetime.fromtimestamp(int(value), UTC)
        if _ISO_8601.fullmatch(value):
            at = datetime.fromisoformat(value)
            return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # well written, but on no calendar
        pass
    return None


def _dates(compare: Callable[[datetime, datetime], bool]) -> Matcher:
    """`compare`, given the request's instant and the policy's; a request's value that is no date never matches."""

    def matches(pattern: str, value: str) -> bool:
        expected, actual = instant(pattern), instant(value)
        return expected is not None and actual is not None and compare(actual, expected)

    return matches


MATCHERS: dict[str, tuple[Matcher, bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_equal_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equal_ignoring_case, True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "Bool": (_equal_ignoring_case, False),
    "DateEquals": (_dates(operator.eq), False),
    "DateNotEquals": (_dates(operator.eq), True),
    "DateGreaterThan": (_dates(operator.gt), False),
    "DateGreaterThanEquals": (_dates(operator.ge), False),
    "DateLessThan": (_dates(operator.lt), False),
    "DateLessThanEquals": (_dates(operator.le), False),
}
"""By name, without quantifier and IfExists: what it compares, and whether it is negated."""
