"""What git says of an image's source; where there is no git nothing is said, and nothing fails."""

import subprocess
from pathlib import Path

import pytest

from strongroom.image.measured import MEASURED
from strongroom.image.source import Source, source_of

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (MEASURED[0], "Dockerfile.enclave", "deploy/init/init.c", "README.md"):
        put(tmp_path, name)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "a")
    return tmp_path


def git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", checkout, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def put(checkout: Path, name: str) -> None:
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text("another" if (checkout / name).exists() else "one")


def test_a_checkout_as_committed(checkout: Path) -> None:
    source = source_of(checkout)
    assert source == Source(git(checkout, "rev-parse", "HEAD"))
    assert str(source) == f"commit {source.commit[:12]}, as committed"


def test_what_is_changed_staged_new_or_gone_is_named_and_nothing_else(checkout: Path) -> None:
    for name in ("Dockerfile.enclave", "README.md", MEASURED[1], "deploy/init/a b.h", "enclave/nobody_measures.py"):
        put(checkout, name)
    git(checkout, "add", MEASURED[1])
    (checkout / MEASURED[0]).unlink()
    source = source_of(checkout)
    assert source is not None
    assert source.changed == tuple(sorted(("Dockerfile.enclave", MEASURED[0], MEASURED[1], "deploy/init/a b.h")))
    assert str(source).endswith(", but not as committed: " + ", ".join(source.changed))


def test_a_long_list_is_cut() -> None:
    line = str(Source(COMMIT, tuple(f"f{index:02}" for index in range(13))))
    assert line.endswith("not as committed: f00, f01, f02, f03, f04, f05, f06, f07, f08, f09 and 3 more")


def test_without_a_checkout_of_git_nothing_is_said(tmp_path: Path) -> None:
    assert source_of(tmp_path) is None
    (tmp_path / ".git").write_text("gitdir: /nowhere")
    assert source_of(tmp_path) is None


def test_a_folder_inside_another_s_checkout_is_not_of_its_commit(checkout: Path) -> None:
    put(checkout, "vendored/Dockerfile.enclave")
    assert source_of(checkout / "vendored") is None


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert source_of(tmp_path) is None


def test_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    assert source_of(checkout) is None
