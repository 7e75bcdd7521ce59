"""`make release`: what it runs, and in which order."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def planned(target: str) -> str:
    """What make would run for it."""
    command = ["make", "--dry-run", "--no-print-directory", target]
    environment = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": "1700000000"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return run.stdout


def test_a_release_is_audited_then_tested_then_written() -> None:
    plan = planned("release")
    steps = [
        "-m deploy.release.audit",
        "bin/mypy",
        "bin/pytest -q -n 2",
        "SOURCE_DATE_EPOCH=1700000000 .venv/bin/python -m hatchling build",
        "SOURCE_DATE_EPOCH=1700000000 .release/venv/bin/python -m deploy.release.sbom",
    ]
    places = [plan.index(step) for step in steps]
    assert places == sorted(places)


def test_every_lock_file_is_audited() -> None:
    plan = planned("audit")
    for path in (ROOT / "requirements").glob("*.txt"):
        assert f"requirements/{path.name}" in plan


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, timeout=60)


def test_a_release_is_of_a_checkout_as_committed(tmp_path: Path) -> None:
    """Whatever the later steps say here: without their tools they fail."""
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    command = ["make", "--no-print-directory", "-o", ".release/venv/.installed", "RELEASE_PYTHON=false", "release"]
    lines = []
    for step in (["--version"], ["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "a"]):
        git(tmp_path, *step)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode != 0
        lines.append("error: expected a checkout as committed, got another or none" in done.stderr)
    assert lines == [True, True, True, False]
