"""`strongroom verify` on folders and on many files: each has its line, and none keeps the others from being judged."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.attestation import forge
from tests.cli.running import failed, strongroom
from tests.cli.verifying import ARCHIVED, anchored, run, write


def judged(*arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
    """The JSON lines of `strongroom verify`."""
    return [json.loads(line) for line in run(*arguments, "--json", exit_code=exit_code).stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One sound document in hex, one of another kind, and one file that is none."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    write(folder, forge.document().hex().encode(), "b.hex")
    write(folder, b"nothing", "a.txt")
    write(folder, forge.document(nonce=b"x" * 1025), "c.cbor")
    return folder


def test_every_file_has_a_line_in_the_order_of_names(folder: Path, tmp_path: Path) -> None:
    lines = judged(str(folder), *ARCHIVED, *anchored(tmp_path), exit_code=1)
    assert [(line["file"], line["code"]) for line in lines] == [
        (f"{folder}/a.txt", "cose-structure"),
        (f"{folder}/b.hex", None),
        (f"{folder}/c.cbor", "optional-field"),
    ]
    alone = json.loads(run(f"{folder}/b.hex", *ARCHIVED, *anchored(tmp_path), "--json").stdout)
    assert lines[1] == {"file": f"{folder}/b.hex", **alone}
    assert next(iter(lines[1])) == "file"


def test_all_accepted(folder: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "c.cbor"):
        (folder / name).unlink()
    [line] = judged(str(folder), *ARCHIVED, *anchored(tmp_path))
    assert line["verdict"] == "accepted"
    assert b"\n1 file: 1 accepted, 0 rejected\n" in run(str(folder), *ARCHIVED, *anchored(tmp_path)).stdout


def test_rows_and_their_sum(folder: Path, tmp_path: Path) -> None:
    write(folder, b"", "d\x1b[2J\n.cbor")
    lines = run(str(folder), *ARCHIVED, *anchored(tmp_path), exit_code=1).stdout.decode().splitlines()
    assert lines[0].startswith(f"rejected  {folder}/a.txt  cose-structure: expected")
    assert lines[1] == f"accepted  {folder}/b.hex"
    assert lines[3].startswith(f"rejected  {folder}/d\\x1b[2J\\n.cbor  input-size")
    assert lines[4] == "4 files: 1 accepted, 3 rejected  (1 cose-structure, 1 input-size, 1 optional-field)"


def test_only_regular_files_directly_in_it(folder: Path, tmp_path: Path) -> None:
    (folder / "below").mkdir()
    write(folder / "below")
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(folder / "b.hex")
    (folder / "linked folder").symlink_to(folder / "below")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        lines = judged(str(folder), *ARCHIVED, *anchored(tmp_path), exit_code=1)
    assert [Path(line["file"]).name for line in lines] == ["a.txt", "b.hex", "c.cbor", "link"]


def test_a_link_to_nothing_is_not_passed_over(tmp_path: Path) -> None:
    """Evidence that is gone must not leave the others to be "all accepted"."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    write(folder)
    (folder / "gone").symlink_to("nowhere")
    assert judged(str(folder), *ARCHIVED, *anchored(tmp_path), exit_code=2)[-1]["error"]["code"] == "file"


def test_a_file_named_like_standard_input(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    write(folder, name="-")
    for name in (".", "./-"):
        done = strongroom("verify", name, *ARCHIVED, *anchored(tmp_path), cwd=folder, input=b"something else")
        assert (done.returncode, done.stderr) == (0, b""), name


def test_several_files_and_folders(folder: Path, tmp_path: Path) -> None:
    file = write(tmp_path)
    arguments = (file, str(folder), "-", *ARCHIVED, *anchored(tmp_path), "--json")
    done = strongroom("verify", *arguments, input=forge.document())
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, len(lines)) == (1, 5)
    assert [lines[at]["file"] for at in (0, -1)] == [file, "-"]
    assert lines[-1]["verdict"] == "accepted"


def test_a_file_that_cannot_be_read_is_one_line_among_the_others(tmp_path: Path) -> None:
    asked = ("/proc/self/mem", write(tmp_path), "nowhere", write(tmp_path, b"", "empty"), *ARCHIVED)
    memory, accepted, nowhere, rejected = judged(*asked, *anchored(tmp_path), exit_code=1)
    assert memory["file"] == "/proc/self/mem"
    assert memory["error"]["code"] == nowhere["error"]["code"] == "file"
    assert (accepted["verdict"], rejected["verdict"]) == ("accepted", "rejected")
    text = run(*asked, *anchored(tmp_path), exit_code=1).stdout.decode()
    assert "unreadable  nowhere: No such file" in text
    assert text.endswith("4 files: 1 accepted, 1 rejected, 2 unreadable  (1 input-size)\n")


def test_a_folder_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    assert "expected files to judge" in failed(strongroom("verify", tmp_path, *ARCHIVED))


def test_standard_input_can_be_read_once() -> None:
    assert "once" in failed(strongroom("verify", "-", "-", *ARCHIVED))


def test_chains_are_remembered_between_the_files(folder: Path, tmp_path: Path) -> None:
    """The second document of one chain costs no signatures of certificates: those of the first are remembered."""
    script = (
        "from cryptography.hazmat.primitives.asymmetric import ec; from attestation import certificates, chain\n"
        "from strongroom.cli import main\n"
        "def counted(*given, check=certificates.check_issued): print('signature'); return check(*given)\n"
        "certificates.check_issued = counted\n"
        "main()"
    )
    for name in ("a.txt", "c.cbor"):
        (folder / name).write_bytes(forge.document(nonce=name.encode()))
    arguments = [str(folder), *ARCHIVED, *anchored(tmp_path)]
    command = [sys.executable, "-c", script, "verify", *arguments]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.count(b"accepted") == 3 + 1
    assert done.stdout.count(b"signature\n") == 4


def shown(*arguments: str, stdout: int | None = None) -> tuple[bytes, bytes]:
    """What a terminal on standard error shows, and standard output: by default the same terminal."""
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm", "COLUMNS": "100"}
    done = strongroom("verify", *arguments, stdout=stdout or theirs, stderr=theirs, env=environment)
    os.close(theirs)
    text = os.read(ours, 1 << 20)
    os.close(ours)
    return text, done.stdout


def test_a_terminal_shows_how_far_it_is(folder: Path, tmp_path: Path) -> None:
    arguments = (str(folder), *ARCHIVED, *anchored(tmp_path), "--json")
    text, lines = shown(*arguments, stdout=subprocess.PIPE)
    assert b"judged" in text
    assert b"100%" in text
    assert lines == run(*arguments, exit_code=1).stdout


def test_rows_and_progress_share_a_terminal(folder: Path, tmp_path: Path) -> None:
    """Of each line, what stands after the last erasure is seen: the rows, and of the bar nothing but its last place."""
    arguments = (str(folder), *ARCHIVED, *anchored(tmp_path))
    text, _ = shown(*arguments)
    seen = [re.sub(rb"\x1b\[[0-9]*m", b"", line.split(b"\x1b[2K")[-1]) for line in text.split(b"\r\n")]
    rows = [line for line in seen if line and b"judged" not in line]
    assert rows == run(*arguments, exit_code=1).stdout.splitlines()
    assert sum(b"judged" in line for line in seen) == 1


def test_one_document_needs_no_progress(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    write(folder, b"")
    ours, theirs = pty.openpty()
    strongroom("verify", str(folder), *ARCHIVED, stderr=theirs)
    os.set_blocking(ours, False)
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)
    os.close(theirs)
    os.close(ours)
