"""`make release`: what it runs, and in which order."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATED = 'SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null)}"'


def planned(target: str) -> str:
    """What make would run for it."""
    command = ["make", "--dry-run", "--no-print-directory", target]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return run.stdout


def test_a_release_is_audited_then_tested_then_written() -> None:
    plan = planned("release")
    steps = [
        "-m deploy.release.audit",
        "bin/mypy",
        "bin/pytest -q -n 2",
        f"{DATED} .venv/bin/python -m hatchling build",
        f"{DATED} .release/venv/bin/python -m deploy.release.sbom",
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
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    lines = []
    for step in (["--version"], ["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "a"]):
        git(tmp_path, *step)
        lines.append(refused(tmp_path))
    assert lines == [True, True, True, False]


def test_no_setting_of_git_and_no_folder_around_it_hides_what_is_not_committed(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    inner = tmp_path / "vendored"
    inner.mkdir()
    shutil.copyfile(ROOT / "Makefile", inner / "Makefile")
    (tmp_path / ".gitignore").write_text("/vendored/\n")
    for step in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "a"]):
        git(tmp_path, *step)
    assert not refused(tmp_path)
    assert refused(inner)
    assert refused(inner, GIT_DIR=str(tmp_path / ".git"), GIT_WORK_TREE=str(tmp_path))
    (tmp_path / "stray.py").touch()
    git(tmp_path, "config", "status.showUntrackedFiles", "no")
    assert refused(tmp_path)
    git(tmp_path, "config", "--unset", "status.showUntrackedFiles")
    (tmp_path / ".git" / "info" / "exclude").write_text("stray.py\n")
    assert refused(tmp_path)


def refused(checkout: Path, **variables: str) -> bool:
    """Whatever the later steps say here: without their tools they fail."""
    command = ["make", "--no-print-directory", "-o", ".release/venv/.installed", "RELEASE_PYTHON=false", "release"]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    return "error: expected a checkout as committed, got another or none" in done.stderr


@pytest.mark.parametrize("date", ["", "1; touch injected", "$(shell touch injected)"])
def test_a_date_is_no_command_and_an_empty_one_is_the_commit_s(tmp_path: Path, date: str) -> None:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf %s "$SOURCE_DATE_EPOCH" > told\n')
    python.chmod(0o755)
    for step in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--date=@9", "--message", "a"]):
        git(tmp_path, *step)
    command = ["make", "-o", ".release/image.json", "RELEASE_PYTHON=./python", "sbom"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": date}
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=True)
    assert not (tmp_path / "injected").exists()
    told = (tmp_path / "told").read_text()
    assert told == date if date else int(told) > 0
