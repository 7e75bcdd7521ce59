"""The benchmark of weights: it runs, says what it measured, and takes no nonsense."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.delivery.allocator import image_allocator

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
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


def test_the_image_sets_its_allocator() -> None:
    assert image_allocator().keys() == {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}


@pytest.mark.skipif(
    not HUGE_PAGES.is_file() or "[madvise]" not in HUGE_PAGES.read_text(),
    reason="this machine's kernel gives huge pages to all or to none",
)
def test_what_is_large_is_asked_for_in_huge_pages() -> None:
    """glibc ignores what it does not understand without a word."""
    code = "held = bytes(64 << 20); print(any(' hg' in line for line in open('/proc/self/smaps') if 'VmFlags' in line))"
    asked = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for environment in ({}, image_allocator())
    ]
    assert asked == ["False\n", "True\n"]
