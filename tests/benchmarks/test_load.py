"""The load generator notices servers that lie, lose, mix and hang."""

from __future__ import annotations

import asyncio
import json
from array import array
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.serving import crowd
from benchmarks.serving.crowd import Ask, Collected, closing_all, gather
from benchmarks.serving.judging import TOLERANCE, Court, ExactJudge, Tally, VectorJudge
from benchmarks.serving.load_streams import unbatched
from benchmarks.serving.load_texts import pairs, texts
from benchmarks.serving.orders import Pairs, Report, Texts, Unbatched
from benchmarks.serving.raw_orders import EXPECTED as EXPECTED_FILE
from benchmarks.serving.raw_orders import TEXTS as TEXTS_FILE
from benchmarks.serving.targets import Plain

EXPECTED = np.eye(8, 4, dtype=np.float32) + np.arange(8, dtype=np.float32)[:, np.newaxis]
COURT = Court(VectorJudge(EXPECTED))


class Server:
    """Answers each question with its vector, but for those that it is told to treat in another way."""

    def __init__(self, **treated: int) -> None:
        self._treated = {question: how for how, question in treated.items()}
        self.under_way: set[int] = set()

    async def ask(self, question: int) -> array[float]:
        assert question not in self.under_way
        self.under_way.add(question)
        await asyncio.sleep(0)
        self.under_way.remove(question)
        match self._treated.get(question):
            case "lose":
                raise OSError
            case "hang":
                await asyncio.Event().wait()
            case "lie":
                return array("f", EXPECTED[question] + 2 * TOLERANCE)
            case "mix":
                return array("f", EXPECTED[(question + 1) % len(EXPECTED)])
            case "shorten":
                return array("f", EXPECTED[question][:-1])
            case "spoil":
                return array("f", [float("nan")] * 4)
        return array("f", EXPECTED[question] + TOLERANCE / 2)


def clients(server: Server, count: int) -> list[Ask[array[float]]]:
    return [server.ask] * count


@pytest.mark.parametrize(
    ("how", "tally"),
    [
        (None, Tally(answers=8)),
        ("lie", Tally(answers=8, wrong=1)),
        ("shorten", Tally(answers=8, wrong=1)),
        ("spoil", Tally(answers=8, wrong=1)),
        ("mix", Tally(answers=8, mixed=1)),
        ("lose", Tally(answers=7, lost=1)),
        ("hang", Tally(answers=7, lost=1)),
    ],
)
async def test_every_answer_is_judged(how: str | None, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "ANSWER_TIMEOUT_S", 0.05)
    server = Server(**{how: 3}) if how else Server()
    found = await gather(clients(server, 8), len(EXPECTED), 0)
    assert COURT.tally(found.answers) == tally
    assert len(found.ended_s) == len(found.waited_s) == tally.answers


async def test_clients_go_on_for_as_long_as_they_shall_and_never_ask_the_same_at_once() -> None:
    found = await gather(clients(Server(), 4), len(EXPECTED), 0.05)
    assert COURT.tally(found.answers) == Tally(answers=len(found.answers))
    assert {question for question, _ in found.answers} == set(range(8))
    assert max(found.ended_s) >= 0.05
    assert found.per_s == pytest.approx(len(found.answers) / max(found.ended_s))


async def test_who_gets_no_answer_asks_no_more() -> None:
    found = await gather(clients(Server(lose=0), 1), 1, 10)
    assert found.answers == [(0, None)]
    assert found.errors == {"OSError": 1}
    assert (found.per_s, found.p50_ms) == (0, 0)


def test_texts_and_tokens_are_exact() -> None:
    court = Court(ExactJudge(["one", "two", "two"]))
    answers = [(0, "one"), (1, "two"), (2, "two"), (1, "one"), (0, "one "), (0, None)]
    assert court.tally(answers) == Tally(answers=5, lost=1, wrong=1, mixed=1)


def test_tallies_add_up() -> None:
    tally = Tally(1, 2, 3, 4)
    tally.add(Tally(10, 20, 30, 40))
    assert tally == Tally(11, 22, 33, 44)


def test_the_median_wait_and_the_rate() -> None:
    found = Collected[str]([], ended_s=[1.0, 2.0, 4.0], waited_s=[0.1, 0.3, 0.2])
    assert found.p50_ms == pytest.approx(200)
    assert found.per_s == pytest.approx(0.75)


class Client:
    def __init__(self, closed: list[int], number: int) -> None:
        self._close = partial(closed.append, number)

    async def close(self) -> None:
        self._close()


async def test_clients_are_closed_whatever_happens() -> None:
    closed: list[int] = []
    with pytest.raises(ValueError, match="a reason"):
        async with closing_all([Client(closed, number) for number in range(3)]):
            raise ValueError("a reason")
    assert closed == [0, 1, 2]


NOBODY = Plain("http://127.0.0.1:9/")


@pytest.fixture
def questions(tmp_path: Path) -> str:
    (tmp_path / TEXTS_FILE).write_text(json.dumps(["a text"] * len(EXPECTED)))
    np.save(tmp_path / EXPECTED_FILE, EXPECTED)
    return str(tmp_path)


async def test_what_is_lost_as_a_whole_is_reported(questions: str) -> None:
    """JSON has no infinity, so what never came is told as nothing."""
    reports = [
        await texts(Texts(NOBODY, [], questions, clients=2, warm_s=0, seconds=0.01)),
        await pairs(Pairs((NOBODY, NOBODY), questions, count=2)),
        await unbatched(Unbatched(NOBODY, [], [[1], [2]], [[3], [4]], tokens=1)),
    ]
    for report in reports:
        told = msgspec.json.decode(msgspec.json.encode(report), type=Report)
        assert told == report
        assert told.tally.lost > 0
        assert told.tally.answers == told.per_s == 0
        assert told.added_p50_ms is told.first_ms is None
