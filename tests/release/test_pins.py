"""Reading lock files."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.release.errors import ReleaseError
from deploy.release.pins import Pin, read_pins
from tests.release.locks import line, lock, sha256

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["enclave", "all", "fuzz", "release"])
def test_every_line_of_our_lock_files_is_read(name: str) -> None:
    path = ROOT / "requirements" / f"{name}.txt"
    text = path.read_text()
    pins = read_pins(path)
    assert len(pins) == text.count("==") - text.count("'==") - text.count("== '")
    assert sum(len(pin.sha256) for pin in pins) == text.count("--hash=sha256:")


def test_a_pin_has_all_files_that_are_accepted_and_is_for_every_platform(tmp_path: Path) -> None:
    path = lock(tmp_path / "lock", line("a==1", "x", "y"), line("b-c==2.0.post1 ; sys_platform == 'win32'", "z"))
    pins = read_pins(path)
    assert pins == [
        Pin("a", "1", frozenset({sha256("x"), sha256("y")})),
        Pin("b-c", "2.0.post1", frozenset({sha256("z")})),
    ]
    assert pins[1].line() == f"b-c==2.0.post1 --hash=sha256:{sha256('z')}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a==1\n",
        "a>=1 --hash=sha256:" + "0" * 64,
        "a==1 --hash=sha256:00",
        "a==1 --hash=md5:" + "0" * 32,
        "-r other.txt\n",
        "a @ https://example.org/a.whl --hash=sha256:" + "0" * 64,
        "a==1 --hash=sha256:" + "0" * 64 + "\nb",
        "a==1 --hash=sha256:" + "0" * 64 + " --no-deps",
    ],
    ids=[
        "empty",
        "no hash",
        "no version",
        "short hash",
        "weak hash",
        "another file",
        "address",
        "half a line",
        "an option",
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReleaseError, match="make lock"):
        read_pins(lock(tmp_path / "lock", text))


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    for name in ("missing", "binary"):
        with pytest.raises(ReleaseError, match="readable"):
            read_pins(tmp_path / name)
