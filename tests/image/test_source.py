"""What git says of an image's source; where it cannot say, that is told, and nothing fails."""

import subprocess
from pathlib import Path

import pytest

from strongroom.image import source as module
from strongroom.image.measured import LIST, MEASURED
from strongroom.image.source import Source, source_of

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (MEASURED[0], "Dockerfile.enclave", "deploy/init/init.c", "README.md", LIST):
        put(tmp_path, name)
    (tmp_path / LIST).write_text(f"{MEASURED[0]}\n")
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
    (checkout / LIST).write_text(f"{MEASURED[0]}\n{MEASURED[1]}\n")
    git(checkout, "add", MEASURED[1])
    (checkout / MEASURED[0]).unlink()
    (checkout / "deploy" / "init" / "init.c").unlink()
    source = source_of(checkout)
    assert source is not None
    others = ("Dockerfile.enclave", "deploy/init/a b.h", "deploy/init/init.c")
    assert source.changed == tuple(sorted((*others, LIST, MEASURED[0], MEASURED[1])))
    assert str(source).endswith(", but not as committed: " + ", ".join(source.changed))


@pytest.mark.parametrize("bit", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_git_was_told_not_to_see_is_named(checkout: Path, bit: str) -> None:
    put(checkout, MEASURED[0])
    git(checkout, "update-index", bit, MEASURED[0])
    assert source_of(checkout) == Source(git(checkout, "rev-parse", "HEAD"), (MEASURED[0],))


def test_a_listed_file_that_git_ignores_is_named(checkout: Path) -> None:
    (checkout / LIST).write_text(f"{MEASURED[0]}\nenclave/new.py\n")
    git(checkout, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--all", "--message", "b")
    put(checkout, "enclave/new.py")
    (checkout / ".git" / "info" / "exclude").write_text("new.py\n")
    assert source_of(checkout) == Source(git(checkout, "rev-parse", "HEAD"), ("enclave/new.py",))


def test_what_git_has_converted_is_named(checkout: Path) -> None:
    git(checkout, "config", "core.autocrlf", "true")
    (checkout / LIST).write_text(f"{MEASURED[0]}\r\n")
    git(checkout, "add", ".")
    assert git(checkout, "status", "--porcelain") == ""
    assert source_of(checkout) == Source(git(checkout, "rev-parse", "HEAD"), (LIST,))


def test_another_repository_that_the_environment_names_plays_no_part(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = git(checkout, "rev-parse", "HEAD")
    other = tmp_path_factory.mktemp("other")
    git(other, "clone", "--quiet", str(checkout), "clone")
    put(checkout, MEASURED[0])
    monkeypatch.setenv("GIT_DIR", str(other / "clone" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other / "clone"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    assert source_of(checkout) == Source(expected, (MEASURED[0],))


def test_a_name_that_is_no_text(checkout: Path) -> None:
    put(checkout, "deploy/init/\udcff")
    source = source_of(checkout)
    assert source is not None
    assert source.changed == ("deploy/init/\N{REPLACEMENT CHARACTER}",)


def test_a_long_list_is_cut() -> None:
    line = str(Source(COMMIT, tuple(f"f{index:02}" for index in range(13))))
    assert line.endswith("not as committed: f00, f01, f02, f03, f04, f05, f06, f07, f08, f09 and 3 more")


def told(checkout: Path) -> list[str]:
    """Where nothing is known."""
    lines: list[str] = []
    assert source_of(checkout, lines.append) is None
    return lines


def test_without_git_nothing_is_said(tmp_path: Path) -> None:
    assert told(tmp_path) == []


def test_a_folder_inside_another_s_checkout_is_not_of_its_commit(checkout: Path) -> None:
    put(checkout, "vendored/Dockerfile.enclave")
    assert told(checkout / "vendored") == []
    (checkout / "vendored" / ".git").mkdir()
    [line] = told(checkout / "vendored")
    assert line.startswith("source: unknown, for git did not tell: fatal: not a git repository")


def test_what_git_refuses_is_told(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (checkout / ".git" / "HEAD").write_text("ref: refs/heads/none\n")
    [line] = told(checkout)
    assert line == "source: unknown, for git did not tell: fatal: Needed a single revision"
    empty = tmp_path_factory.mktemp("empty")
    (empty / ".git").write_text("gitdir: /nowhere")
    [line] = told(empty)
    assert "not a git repository: /nowhere" in line


def test_a_checkout_of_somebody_else_is_told(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("HOME", str(checkout))
    monkeypatch.setattr(module, "_PASSED_ON", ("GIT_TEST",))
    [line] = told(checkout)
    assert "detected dubious ownership" in line


def test_without_the_program(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout))
    [line] = told(checkout)
    assert "No such file or directory: 'git'" in line
