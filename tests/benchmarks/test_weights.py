"""The benchmark of weights: it runs, says what it measured, and takes no nonsense."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "weights.py"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=60)


def test_one_line_of_figures() -> None:
    run = command("--json", "--size-mib", "5", "--runs", "1")
    assert (run.returncode, run.stderr) == (0, "")
    figures = json.loads(run.stdout)
    assert (figures["size_mib"], figures["runs"]) == (5, 1)
    assert figures["mib_per_s"].keys() == figures["ratio"].keys() == {"1", "4"}
    assert all(rate > 1 for rate in figures["mib_per_s"].values())
    assert figures["ratio"]["1"] == 1


@pytest.mark.parametrize("arguments", [["--runs", "0"], ["--size-mib", "many"], ["--size-mib", "9" * 5000], ["more"]])
def test_unusable_arguments_are_one_line_and_exit_2(arguments: list[str]) -> None:
    run = command(*arguments)
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (2, "", 1)
