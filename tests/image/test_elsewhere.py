"""A command run as other people would, where this machine allows it; how it is told where not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.image import reproduction
from strongroom.image.elsewhere import FIRST_ID
from strongroom.image.errors import InputRefused
from strongroom.image.folders import Folders
from strongroom.image.local import build
from strongroom.image.programs import Programs
from tests.boot.image import missing


def elsewhere(*command: str) -> "subprocess.CompletedProcess[str]":
    arguments = [sys.executable, "-m", "strongroom.image.elsewhere", *command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode == 126:
        missing(f"a user namespace that root may map users in: {done.stderr.strip()}")
    return done


def test_root_is_another_user_on_another_host_with_a_strict_umask() -> None:
    done = elsewhere("sh", "-c", "id -u; hostname; umask; cut -c1-40 /proc/self/uid_map | tr -s ' '")
    assert done.stdout.split() == ["0", "elsewhere", "0077", "0", str(FIRST_ID), "65536"]


def test_the_commands_exit_code_comes_back() -> None:
    assert elsewhere("sh", "-c", "exit 7").returncode == 7


def test_where_nobody_else_can_build_the_same_user_does_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reproduction, "_ELSEWHERE", ("false",))
    monkeypatch.setattr(os, "chown", lambda *_arguments: None)
    programs, conditions = reproduction._somebody_else(tmp_path)
    assert programs.prefix == ()
    assert "same user and host, others are not possible here" in conditions


def test_a_copy_has_the_files_and_not_their_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduction, "_CONTEXT", ("Dockerfile.enclave", "enclave"))
    (tmp_path / "from" / "enclave" / "__pycache__").mkdir(parents=True)
    (tmp_path / "from" / "enclave" / "x.py").write_text("x")
    (tmp_path / "from" / "Dockerfile.enclave").write_text("FROM scratch")
    (tmp_path / "programs").mkdir()
    copy = reproduction._copied(tmp_path / "from", tmp_path / "to", Programs(tmp_path / "programs"))
    assert sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*")) == [
        "Dockerfile.enclave",
        "enclave",
        "enclave/x.py",
    ]
    assert (copy / "enclave" / "x.py").stat().st_mode & 0o777 == 0o600


def test_a_build_needs_a_checkout_and_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputRefused, match=r"expected a checkout of Strongroom, with Dockerfile\.enclave"):
        build(Folders(tmp_path, tmp_path / "out"))
    (tmp_path / "Dockerfile.enclave").write_text("")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InputRefused, match="expected root, which may be that of a user namespace, got user 1000"):
        build(Folders(tmp_path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
