"""The benchmark's contract. That the limits are reached is for the benchmark to say, not for a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.startup.boots import STAGES, BootFailed, boot
from benchmarks.startup.command import main
from benchmarks.startup.figures import Figures, Rates
from benchmarks.startup.surroundings import running

ROOT = Path(__file__).parents[2]
KEYS = ["rows", "stages_ms", "uncompiled_stages_ms", "boots", "mib_per_s", "size_mib", "machine", "date", "seconds"]
QUICK = dict.fromkeys(STAGES, 0.25)
REACHED = Figures(
    boots=[QUICK],
    uncompiled=[QUICK],
    rates=Rates(weights=500.0, aes_gcm=1000.0, sha256=300.0, unix_socket=2000.0),
    size_mib=1,
    machine="a machine",
    date="2026-01-01",
    seconds=9.6,
)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "benchmarks" / "cold_start.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_a_short_run_boots_through_every_stage() -> None:
    run = command("--json", "--short")
    assert run.stderr == ""
    [line] = run.stdout.splitlines()
    found = json.loads(line)
    assert list(found) == KEYS
    for stages in (found["stages_ms"], found["uncompiled_stages_ms"]):
        assert list(stages) == [*STAGES, "in all"]
        assert all(took > 0 for took in stages.values())
        assert stages["in all"] == pytest.approx(sum(stages[stage] for stage in STAGES), abs=1)
    assert found["uncompiled_stages_ms"]["imports"] > 1.5 * found["stages_ms"]["imports"]
    assert all(rate > 1 for rate in found["mib_per_s"].values())
    assert all(row.keys() == {"name", "value", "reach", "met"} for row in found["rows"])
    assert run.returncode == int(not all(row["met"] for row in found["rows"]))


def test_a_boot_that_fails_is_told_with_its_stage_and_nothing_is_left_running(tmp_path: Path) -> None:
    with running(tmp_path) as surroundings:
        environment = {"PATH": os.environ["PATH"]}
        with pytest.raises(BootFailed, match=r"^boot: .* ValueError$"):
            boot(surroundings, 1, {**environment, "PYTHONHOME": "nowhere"})
        wrong = replace(surroundings, delivery=replace(surroundings.delivery, catalogue=b"nonsense"))
        with pytest.raises(BootFailed, match=r"^attest: "):
            boot(wrong, 2, environment)
    assert f"--sockets={tmp_path}" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("argument", ["--faster", "100"])
def test_unusable_arguments_are_one_line_and_exit_2(
    argument: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks/cold_start.py", argument])
    with pytest.raises(SystemExit) as ended:
        main()
    out, error = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert len(error.splitlines()) == 1
    assert error.startswith("cold_start.py: ")


def test_limits_reached() -> None:
    assert REACHED.misses() == []
    assert "MISS" not in REACHED.table()
    assert [(row["value"], row["reach"], row["met"]) for row in json.loads(REACHED.to_json())["rows"]] == [
        (2.0, "<= 2 s", True),
        (0.5, ">= 0.5", True),
    ]


MISSED = {
    "a slow boot": replace(REACHED, boots=[QUICK | {"imports": 0.26}]),
    "slow weights": replace(REACHED, rates=replace(REACHED.rates, weights=499.0)),
}


@pytest.mark.parametrize("figures", MISSED.values(), ids=MISSED)
def test_a_limit_missed(figures: Figures) -> None:
    [miss] = figures.misses()
    assert f"MISS {miss}" in figures.table()


def test_what_is_held_to_the_limit_is_the_median_of_whole_boots() -> None:
    boots = [QUICK | {"boot": 0.1, "ready": 9.0}, QUICK | {"boot": 9.0}, QUICK]
    figures = replace(REACHED, boots=[QUICK, *boots, QUICK])
    assert figures.rows[0].value == 2.0
    found = json.loads(figures.to_json())["stages_ms"]
    assert (found["boot"], found["ready"], found["in all"]) == (250.0, 250.0, 2000.0)
