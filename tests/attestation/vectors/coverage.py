"""The coverage page: which vectors hold which rule, which class of bad documents and which code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tests.attestation.vectors.case import ACCEPTED, Case
from tests.attestation.vectors.rules import CODES, ROWS, RULES

_HEADING = """\
# Coverage of the vectors

Generated with them (`python -m tests.attestation.vectors generate`). A rule, a class or a code without a vector fails
the tests. Vectors stand here by their ids, in parentheses if they must be accepted.
"""

Cases = Mapping[str, Case]


def page(cases: Cases) -> str:
    """The whole page in Markdown; every number is counted here."""
    accepted = sum(case.verdict == ACCEPTED for case in cases.values())
    return "\n".join(
        (
            _HEADING,
            f"{len(cases)} vectors: {accepted} must be accepted, {len(cases) - accepted} must not.",
            *_table("Rules", ("rule", "what it demands", "vectors"), list(_rules(cases))),
            *_table("Classes of bad documents", ("class", "defect", "codes", "vectors"), list(_classes(cases))),
            *_table("Codes", ("code", "rule", "rejection class", "vectors"), list(_codes(cases))),
            "",
        )
    )


def _rules(cases: Cases) -> Iterator[tuple[str, ...]]:
    for rule, title in enumerate(RULES, 1):
        yield str(rule), title, _ids({name: case for name, case in cases.items() if case.rule == rule})


def _classes(cases: Cases) -> Iterator[tuple[str, ...]]:
    for row, title in enumerate(ROWS, 1):
        standing = {name: case for name, case in cases.items() if row in case.rows}
        codes = dict.fromkeys(case.code or case.verdict for case in standing.values())
        yield str(row), title, ", ".join(codes), _ids(standing)


def _codes(cases: Cases) -> Iterator[tuple[str, ...]]:
    for code, (rule, family) in CODES.items():
        yield code, str(rule), family, _ids({name: case for name, case in cases.items() if case.code == code})


def _ids(cases: Cases) -> str:
    return " ".join(f"({name[:5]})" if case.verdict == ACCEPTED else name[:5] for name, case in cases.items())


def _table(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    for cells in (heads, ["---"] * len(heads), *lines):
        yield f"| {' | '.join(cells)} |"
