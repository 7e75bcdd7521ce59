"""The benchmark's contract. That the limits are reached is for the benchmark to say, not for a test."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.serving.figures import Figures, Row, Sense, Side
from benchmarks.serving.judging import Tally
from benchmarks.serving.orders import Report

ROOT = Path(__file__).parents[2]
KEYS = ["rows", "answers", "lost", "wrong", "mixed", "skipped", "sides", "settings", "machine", "date", "seconds"]
REACHED = Figures(
    rows=[Row("throughput", 0.9, ">=", 0.9), Row("added", 1.5, "<=", 1.5, "ms")],
    sides=[Side("raw", per_s=100.0, cpu_ms=10.0)],
    settings={"slots": 8},
    tally=Tally(answers=5),
    machine="a machine",
    date="2026-01-01",
    seconds=60.4,
)


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "benchmarks" / "inference.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_a_short_run_is_one_line_of_figures_over_right_answers(tmp_path: Path) -> None:
    run = command("--json", "--short", "--no-peers", "--models", tmp_path)
    assert run.stderr == ""
    [line] = run.stdout.splitlines()
    found = json.loads(line)
    assert list(found) == KEYS
    assert found["answers"] > 30
    assert (found["lost"], found["wrong"], found["mixed"]) == (0, 0, 0)
    assert found["skipped"] == ["plain-fastapi", "mosec", "mlserver"]
    assert all(row.keys() == {"name", "value", "reach", "met"} for row in found["rows"])
    names = " ".join(row["name"] for row in found["rows"])
    for what in ("raw onnxruntime", "raw slot loop", "raw decode loop", "first token"):
        assert what in names
    assert all(side["per_s"] > 0 for side in found["sides"])
    assert run.returncode == 1  # the tiny models take less time than the sealing


@pytest.mark.parametrize(
    "arguments", [["--faster"], ["100"], ["--short", "--models", __file__], ["--short", "--peers", __file__]]
)
def test_unusable_arguments_are_one_line_and_exit_2(arguments: list[str]) -> None:
    run = command(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith("inference.py: ")


def test_limits_reached() -> None:
    assert REACHED.misses() == []
    assert "MISS" not in REACHED.table()
    assert json.loads(REACHED.to_json())["rows"] == [
        {"name": "throughput", "value": 0.9, "reach": ">= 0.9", "met": True},
        {"name": "added", "value": 1.5, "reach": "<= 1.5 ms", "met": True},
    ]


@pytest.mark.parametrize(
    ("value", "sense", "reach", "met"),
    [
        (0.9, ">=", 0.9, True),
        (0.8999, ">=", 0.9, False),
        (1.5, "<=", 1.5, True),
        (1.5001, "<=", 1.5, False),
        (1.0, ">", 1.0, False),
        (1.0001, ">", 1.0, True),
        (math.nan, ">=", 0.9, False),
        (math.nan, "<=", 0.9, False),
        (math.nan, ">", 0.9, False),
    ],
)
def test_a_row_reaches_its_limit_or_does_not(value: float, sense: Sense, reach: float, met: bool) -> None:
    row = Row("row", value, sense, reach)
    figures = replace(REACHED, rows=[row])
    assert row.met is met
    assert bool(figures.misses()) is not met
    [found] = json.loads(figures.to_json(), parse_constant=pytest.fail)["rows"]
    assert found["met"] is met
    assert found["value"] == (None if math.isnan(value) else value)


@pytest.mark.parametrize("what", ["lost", "wrong", "mixed"])
def test_one_answer_that_is_not_right_is_a_miss(what: str) -> None:
    figures = replace(REACHED, tally=replace(REACHED.tally, **{what: 1}))
    [miss] = figures.misses()
    assert miss == f"answers: expected none {what}, got 1"
    assert f"MISS {miss}" in figures.table()
    assert json.loads(figures.to_json())[what] == 1


def test_a_side_has_the_medians_of_its_rounds_and_all_that_it_lost() -> None:
    rounds = [
        Report(Tally(), {"TimeoutError": 1}, per_s=1.0, cpu_ms=30.0, p50_ms=5.0),
        Report(Tally(), {"TimeoutError": 2, "OSError": 1}, per_s=3.0, cpu_ms=20.0, p50_ms=6.0),
        Report(Tally(), per_s=2.0, cpu_ms=10.0, p50_ms=7.0),
    ]
    side = Side.of("sealed", rounds)
    assert side == Side("sealed", 2.0, 20.0, 0.0, 6.0, {"TimeoutError": 3, "OSError": 1})
    assert side.line().endswith("3 lost by TimeoutError, 1 lost by OSError")
    assert json.loads(replace(REACHED, sides=[side]).to_json())["sides"][0]["errors"] == side.errors


def test_a_skipped_peer_is_a_miss_unless_peers_may_be_left_out() -> None:
    skipping = replace(REACHED, skipped=["mosec"])
    [miss] = skipping.misses()
    assert miss.startswith("mosec: expected a figure, got none")
    assert replace(skipping, may_skip=True).misses() == []
    assert json.loads(replace(skipping, may_skip=True).to_json())["skipped"] == ["mosec"]
