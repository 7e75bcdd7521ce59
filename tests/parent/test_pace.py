"""How long the provisioner waits after what failed."""

from parent.pace import Pace, Pauses


def after(*reached: bool) -> list[float]:
    pauses = Pauses(Pace())
    return [pauses.after_failure(reached=each) for each in reached]


def test_one_that_is_not_reached_is_looked_for_every_other_second() -> None:
    assert after(*[False] * 40) == [1.0, *[2.0] * 39]


def test_one_that_answers_and_cannot_go_on_is_left_in_peace() -> None:
    assert after(*[True] * 8) == [1, 2, 4, 8, 16, 30, 30, 30]


def test_one_that_refused_and_ended_is_awaited_as_one_that_boots() -> None:
    assert after(*[True] * 6, False, False, True, True) == [1, 2, 4, 8, 16, 30, 2, 2, 2, 4]


def test_a_step_that_is_taken_ends_the_row() -> None:
    pauses = Pauses(Pace())
    assert [pauses.after_failure(reached=True) for _ in range(3)] == [1, 2, 4]
    pauses.succeeded()
    assert pauses.after_failure(reached=True) == 1
