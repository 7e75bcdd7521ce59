"""docs/attestation.md is normative: its rules, codes, steps and classes are those of the code."""

import re
from pathlib import Path

from attestation.errors import RejectionClass, RejectionCode
from attestation.steps import Step, step_of

PAGE = (Path(__file__).parents[2] / "docs" / "attestation.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its two first lines."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def codes_in(text: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9-]+)`", text)) & set(RejectionCode)


def test_every_rule_lists_exactly_its_codes() -> None:
    shown = {int(number): codes_in(codes) for number, _, codes in rows("Rules")}
    below_the_table = PAGE.split("## Rules\n", 1)[1].split("\n## ", 1)[0].rpartition("|\n")[2]
    shown[0] = {RejectionCode.SECOND_OPINION}
    shown[32] |= codes_in(below_the_table) - {RejectionCode.SECOND_OPINION}
    assert shown == {rule: {code for code in RejectionCode if code.rule == rule} for rule in range(33)}


def test_the_steps_are_those_of_the_verifier_in_its_order() -> None:
    shown = [name for name, _, _ in rows("Steps, in the order judged")]
    assert shown == list(Step)


def test_every_step_lists_the_rules_of_its_codes() -> None:
    for name, rules, _ in rows("Steps, in the order judged"):
        ranges = [part.partition("–") for part in rules.split(", ")] if rules else []
        shown = {rule for first, _, last in ranges for rule in range(int(first), int(last or first) + 1)}
        expected = {code.rule for code in RejectionCode if step_of(code) is Step[name.upper().replace("-", "_")]} - {0}
        assert expected <= shown, name


def test_every_class_is_named() -> None:
    section = PAGE.split("## Classes\n", 1)[1]
    assert {each for each in RejectionClass if f"`{each}`" not in section} == set()
