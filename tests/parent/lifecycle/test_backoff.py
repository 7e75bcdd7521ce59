"""How long an enclave waits for its next life."""

from itertools import takewhile

from parent.lifecycle.backoff import Backoff


def test_delays_double_to_a_minute_and_end() -> None:
    backoff = Backoff(lambda: 0.0)
    delays = list(takewhile(lambda delay: delay is not None, (backoff.after(0) for _ in range(100))))
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert backoff.after(0) is None


def test_chance_takes_up_to_half() -> None:
    assert Backoff(lambda: 0.999999).after(0) == 1 - 0.999999 / 2
    drawn = {Backoff().after(0) for _ in range(20)}
    assert len(drawn) > 1
    assert all(0.5 < delay <= 1 for delay in drawn if delay is not None)


def test_a_stable_time_begins_anew() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.after(ready_s) for ready_s in (0, 299, 300, 0, 301)] == [1, 2, 1, 2, 1]


def test_whoever_is_stable_is_never_given_up() -> None:
    backoff = Backoff(lambda: 0.0)
    assert all(backoff.after(300) == 1 for _ in range(50))
