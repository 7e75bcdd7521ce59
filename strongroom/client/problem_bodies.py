"""Reading a problem (RFC 9457) that the gateway claims: only which of the fixed set it is, never its words."""

import msgspec

from strongroom.protocol.problems import Problem

MAX_PROBLEM_BYTES = 4 << 10


class _Body(msgspec.Struct):
    type: str


def parse_problem(body: bytes | None, status: int) -> Problem | None:
    """The problem of that body, or None when it is none of the protocol's or belongs to another HTTP status."""
    try:
        problem = Problem.from_type(msgspec.json.decode(body or b"", type=_Body).type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return problem if problem is not None and problem.status == status else None
