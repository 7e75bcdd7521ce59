"""Programs of others: what they are given, and how their absence and their failures are told."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strongroom.image.errors import ProgramFailed, ProgramMissing
from strongroom.image.programs import Programs
from tests.image.gone import wait_gone


def test_home_and_temporary_files_are_the_builds_and_all_is_logged(tmp_path: Path) -> None:
    programs = Programs(tmp_path, environment={"TZ": "UTC", "LC_ALL": "C"})
    answer = programs.run("sh", "-c", 'echo "$HOME $TMPDIR $TZ $LC_ALL $PWD"; echo noise >&2')
    assert answer == f"{tmp_path} {tmp_path} UTC C {tmp_path}\n"
    assert "noise" in programs.log.read_text()


def test_a_failure_quotes_the_last_lines_and_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match=r"sh ended with exit code 3; .*/log has all of it: 5 \| 6 \| 7 \| 8 \| 9"):
        Programs(tmp_path).run("sh", "-c", "seq 9 >&2; exit 3")


@pytest.mark.parametrize("prefix", [(), ("env",)], ids=["directly", "by another"])
def test_a_missing_program_is_named_with_its_package(tmp_path: Path, prefix: tuple[str, ...]) -> None:
    programs = Programs(tmp_path, prefix, {"PATH": str(tmp_path) if not prefix else "/usr/bin:/bin"})
    with pytest.raises(ProgramMissing, match="no no-such-program; on Debian: apt-get install no-such-program"):
        programs.run("no-such-program")
    with pytest.raises(ProgramMissing, match="apt-get install dpkg"):
        Programs(tmp_path, environment={"PATH": str(tmp_path)}).run("dpkg-deb")


def test_what_is_no_text_is_no_traceback(tmp_path: Path) -> None:
    assert Programs(tmp_path).run("printf", r"\377") == "\ufffd"


def test_an_interrupted_build_leaves_nothing_running(tmp_path: Path) -> None:
    """The program's own children end with it: they would write on where the next build begins."""
    script = f'sleep 60 & echo $! > "{tmp_path}/child"; wait'
    code = (
        "from strongroom.cli.ending import end_in_order; from strongroom.image.programs import Programs;"
        f"from pathlib import Path; end_in_order(); Programs(Path({str(tmp_path)!r})).run('sh', '-c', {script!r})"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as build:
        deadline = time.monotonic() + 30
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        build.send_signal(signal.SIGTERM)
        assert build.wait(30) == 128 + signal.SIGTERM
    wait_gone([int((tmp_path / "child").read_text())])
