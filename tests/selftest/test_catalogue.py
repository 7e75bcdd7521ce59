"""The attacks: drawn from a seed, each with its line in the threat model and every line with its attacks."""

import re
from collections import Counter
from pathlib import Path

import pytest

from strongroom.selftest.catalogue import ATTACKS, ON_THE_WAY, SIEGE, Plan, least_trials

PAGE = (Path(__file__).parents[2] / "docs" / "threat-model.md").read_text()


def rows() -> dict[str, list[str]]:
    """First cell of each row of the threat model → the attacks that its last cell names."""
    cells = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    named = {row[0]: re.search(r"`selftest`: ([^;|]+)", row[-1]) for row in cells}
    return {threat: match[1].strip().split(", ") if match else [] for threat, match in named.items()}


def test_every_attack_is_in_the_line_that_it_names_and_every_line_names_only_its_attacks() -> None:
    expected: dict[str, list[str]] = {}
    for attack in ATTACKS:
        expected.setdefault(attack.threat, []).append(attack.name)
    assert {threat: names for threat, names in rows().items() if names} == expected


def test_names_are_unique() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 14


@pytest.mark.parametrize(("trials", "rounds"), [(least_trials(), 1), (5_000, 1), (10_000, 2), (200_000, 40)])
def test_a_plan_has_as_many_trials_as_asked_for_and_every_attack(trials: int, rounds: int) -> None:
    plan = Plan.draw(trials, seed=1)
    planned = [*plan.on_the_way, *plan.siege]
    assert len(planned) == len({each.seed for each in planned}) == trials
    assert {each.attack.name for each in planned} == {attack.name for attack in ATTACKS}
    besieged = Counter(each.attack.name for each in plan.siege)
    assert besieged == {attack.name: rounds * attack.weight for attack in SIEGE}


def test_equal_seeds_draw_equal_plans_and_others_do_not() -> None:
    plans = [Plan.draw(500, seed) for seed in (7, 7, 8)]
    names = [[each.attack.name for each in plan.on_the_way] for plan in plans]
    assert plans[0] == plans[1]
    assert names[0] != names[2]


def test_fewer_trials_than_attacks_are_refused() -> None:
    with pytest.raises(ValueError, match=f"at least {least_trials()} trials"):
        Plan.draw(least_trials() - 1, seed=1)
    assert least_trials() >= len(ON_THE_WAY) + len(SIEGE)
